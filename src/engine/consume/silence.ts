import type { ConsumerWaiting, Limits } from "../../core/index.js";
import type { Clock } from "../../telemetry/index.js";
import { heartbeatAfterMs } from "../reading/page-stream.js";

/** How long a new reason for the silence holds before a heartbeat tells it. */
const reasonMs = 500;

export interface SilenceParts {
  readonly clock: Clock;
  readonly limits: Limits;
  /** In [0, 1): spreads heartbeats. */
  readonly random: () => number;
}

/** How long a call may send nothing before a heartbeat tells its consumer why: sooner where the reason is news. */
export class Silence {
  readonly #parts: SilenceParts;
  #heartbeatMs: number;
  #waiting: { readonly reason: ConsumerWaiting; readonly sinceMs: number } = { reason: "nothing", sinceMs: 0 };
  #told: ConsumerWaiting = "nothing";

  constructor(parts: SilenceParts) {
    this.#parts = parts;
    this.#heartbeatMs = this.#nextHeartbeatMs();
  }

  /** A message ends it. */
  end(hasRecords: boolean): void {
    this.#heartbeatMs = this.#nextHeartbeatMs();
    if (!hasRecords) return;
    // Its reason is news only after a while: a consumer whose window is full after every record need not hear so each time.
    this.#told = "nothing";
    this.#waiting = { reason: "nothing", sinceMs: this.#parts.clock.monotonicMs() };
  }

  /** How long until a heartbeat is due; 0 or less: now. `reason`: why there is nothing to send. */
  leftMs(reason: ConsumerWaiting): number {
    const nowMs = this.#parts.clock.monotonicMs();
    if (reason !== this.#waiting.reason) this.#waiting = { reason, sinceMs: nowMs };
    const dueMs = reason === this.#told || reason === "nothing" ? Infinity : this.#waiting.sinceMs + reasonMs;
    return Math.ceil(Math.min(dueMs, this.#heartbeatMs) - nowMs);
  }

  /** A heartbeat tells this reason. */
  tell(reason: ConsumerWaiting): void {
    this.#heartbeatMs = this.#nextHeartbeatMs();
    this.#told = reason;
  }

  #nextHeartbeatMs(): number {
    return this.#parts.clock.monotonicMs() + heartbeatAfterMs(this.#parts);
  }
}
