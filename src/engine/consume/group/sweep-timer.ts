/** A group's one timer: for deadlines, for redeliveries, and to look again where nobody tells that something has changed. */

import type { Clock } from "../../../telemetry/index.js";

/** How often deadlines are checked: this part of the deadline, between these bounds. */
const sweep = { part: 20, minMs: 20, maxMs: 500 };

export class SweepTimer {
  readonly #clock: Clock;
  readonly #onSweep: () => void;
  #cancel: (() => void) | undefined;
  /** When it fires, by the monotonic clock. */
  #dueMs = Number.POSITIVE_INFINITY;

  constructor(clock: Clock, onSweep: () => void) {
    this.#clock = clock;
    this.#onSweep = onSweep;
  }

  /** Fires when something is redelivered in `redeliveryMs`, and soon enough for the deadlines in any case. */
  start(nowMs: number, ackDeadlineMs: number, redeliveryMs: number): void {
    const everyMs = Math.min(sweep.maxMs, Math.max(sweep.minMs, ackDeadlineMs / sweep.part));
    const waitMs = Math.min(everyMs, Math.max(1, redeliveryMs));
    // Only ever moved forward: busy consumers would put it off for ever.
    if (this.#cancel !== undefined && this.#dueMs <= nowMs + waitMs) return;
    this.#cancel?.();
    this.#dueMs = nowMs + waitMs;
    this.#cancel = this.#clock.startTimer(waitMs, () => {
      this.#cancel = undefined;
      this.#onSweep();
    });
  }

  cancel(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
