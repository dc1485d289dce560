import { backoff } from "../../../streams/index.js";

/** Decides whether a new connection is worth trying: after a failed one, not before a backoff has passed. */
export interface ConnectGate {
  /** How long connects are off, in milliseconds; 0 when they are on. */
  readonly closedForMs: number;
  connected(): void;
  failed(): void;
}

/** Waits double from 100 ms to 5 s, so that a dead database is asked by one connect now and then, not by every call. */
export function createConnectGate(now: () => number = () => performance.now()): ConnectGate {
  const waits = backoff({ minMs: 100, maxMs: 5000 });
  let opensAtMs = 0;
  return {
    get closedForMs() {
      return Math.max(0, opensAtMs - now());
    },
    connected() {
      waits.reset();
      opensAtMs = 0;
    },
    failed() {
      // Connects that failed together count as one: the wait begins with the first of them.
      if (opensAtMs <= now()) opensAtMs = now() + waits.next();
    },
  };
}
