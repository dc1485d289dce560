import type { BackoffOptions } from "../streams/index.js";

/** Waits between tries are 5 s at most unless told otherwise, so a server that has recovered is called soon after. */
export function retryBackoff(options: BackoffOptions = {}): BackoffOptions {
  return { ...options, maxMs: options.maxMs ?? Math.max(5000, options.minMs ?? 0) };
}
