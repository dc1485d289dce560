import { systemTimers, type Timers } from "./timers.js";
import type { Waker } from "./waiter.js";

/**
 * The timer of a stream that waits for a point in time. It wakes the waker of the last poll. Node's timers may fire early,
 * by the time that the turn of the event loop had lasted when they were set. So a woken stream must read the clock, and set
 * the timer again if it was early.
 */
export class WakeTimer {
  readonly #timers: Timers;
  /** Cancels the running timer. */
  #cancel: (() => void) | undefined;
  #waker: Waker | undefined;

  constructor(timers: Timers = systemTimers) {
    this.#timers = timers;
  }

  get isSet(): boolean {
    return this.#cancel !== undefined;
  }

  /** Wakes `waker` in `ms`. A timer that runs already keeps its time, and wakes this waker. */
  wakeIn(ms: number, waker: Waker): void {
    this.#waker = waker;
    this.#cancel ??= this.#timers.startTimer(Math.max(1, Math.ceil(ms)), this.#fire);
  }

  /** Replaces the waker of the running timer. */
  wakeInstead(waker: Waker): void {
    this.#waker = waker;
  }

  clear(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#waker = undefined;
  }

  /** For the end of its stream: wakes the waker now, which then polls the end. */
  close(): void {
    const waker = this.#waker;
    this.clear();
    waker?.wake();
  }

  readonly #fire = (): void => {
    const waker = this.#waker;
    this.#cancel = undefined;
    this.#waker = undefined;
    waker?.resume();
  };
}
