import type { BackoffOptions } from "../streams/index.js";

/** Waits between tries are 5 s at most unless told otherwise: a server that can again is asked soon after. */
export function retryBackoff(options: BackoffOptions = {}): BackoffOptions {
  return { maxMs: Math.max(5000, options.minMs ?? 0), ...options };
}
