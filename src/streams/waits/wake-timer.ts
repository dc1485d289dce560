import { systemTimers, type Timers } from "./timers.js";
import type { Waker } from "./waiter.js";

/**
 * The one timer of a stream that waits for a moment: it wakes whoever polled last. Node's timers may ring early, by what
 * the turn of the event loop had lasted when they were set, so whoever is woken looks at the clock, and sets it again.
 */
export class WakeTimer {
  readonly #timers: Timers;
  /** Cancels the timer that runs. */
  #cancel: (() => void) | undefined;
  #waker: Waker | undefined;

  constructor(timers: Timers = systemTimers) {
    this.#timers = timers;
  }

  get isSet(): boolean {
    return this.#cancel !== undefined;
  }

  /** Wakes `waker` in `ms`; if the timer runs already it keeps its time, and wakes this waker. */
  wakeIn(ms: number, waker: Waker): void {
    this.#waker = waker;
    this.#cancel ??= this.#timers.startTimer(Math.max(1, Math.ceil(ms)), this.#ring);
  }

  /** Another waker for the timer that runs. */
  wakeInstead(waker: Waker): void {
    this.#waker = waker;
  }

  clear(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#waker = undefined;
  }

  /** Its stream is over: whoever waits for the timer is woken now, to hear of it. */
  close(): void {
    const waker = this.#waker;
    this.clear();
    waker?.wake();
  }

  readonly #ring = (): void => {
    const waker = this.#waker;
    this.#cancel = undefined;
    this.#waker = undefined;
    waker?.resume();
  };
}
