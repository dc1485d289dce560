import type { BackoffOptions } from "../streams/index.js";

/** Limits the waits to 5 s by default, so that a server that has recovered is called soon. */
export function retryBackoff(options: BackoffOptions = {}): BackoffOptions {
  return { ...options, maxMs: options.maxMs ?? Math.max(5000, options.minMs ?? 0) };
}
