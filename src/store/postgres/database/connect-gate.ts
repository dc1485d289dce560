import { backoff } from "../../../streams/index.js";

/** Decides whether to try a new connection: after a failed try, not before a backoff has passed. */
export interface ConnectGate {
  /** How long connects stay blocked, in milliseconds; 0: they are not blocked. */
  readonly closedForMs: number;
  connected(): void;
  failed(): void;
}

/** Waits double from 100 ms to 5 s: an unreachable database gets one connect now and then, not one for each call. */
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
