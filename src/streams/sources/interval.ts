import { type Produced, Stage } from "../stage.js";
import { PENDING, type Stream } from "../stream.js";
import { checkDelay } from "../waits/abort.js";
import { WakeTimer } from "../waits/wake-timer.js";
import type { Waker } from "../waits/waiter.js";

/**
 * A clock that ticks every `ms`, for ever: gives the numbers of its ticks, 0 for the one that comes `ms` after the first
 * item was asked for. Ticks stay in step with that moment, however late single ones are. Nothing queues up: who asks
 * after several ticks gets the number of the latest at once, and a gap in the numbers tells how many were missed.
 * A timer runs only while somebody waits, and is gone when the stream is closed. O(1) a tick.
 *
 * @example
 * for await (const tick of interval(50)) {
 *   console.log(tick); // 0
 *   break;
 * }
 */
export function interval(ms: number): Stream<number> {
  checkDelay(ms);
  if (ms === 0) throw new RangeError("Cannot tick every 0 ms");
  return new Interval(ms);
}

class Interval extends Stage<number> {
  readonly #ms: number;
  readonly #timer = new WakeTimer();
  #startedAt: number | undefined;
  /** The number of the next tick that was not given. */
  #next = 0;

  constructor(ms: number) {
    super();
    this.#ms = ms;
  }

  protected override produce(waker: Waker): Produced<number> {
    const now = performance.now();
    this.#startedAt ??= now;
    const ticks = Math.floor((now - this.#startedAt) / this.#ms);
    if (ticks > this.#next) {
      this.#next = ticks;
      return ticks - 1;
    }
    this.#timer.wakeIn(this.#startedAt + (this.#next + 1) * this.#ms - now, waker);
    return PENDING;
  }

  protected override dispose(): undefined {
    this.#timer.close();
  }
}
