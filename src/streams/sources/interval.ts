import { type Produced, Stage } from "../stage.js";
import { PENDING, type Stream } from "../stream.js";
import { checkDelay } from "../waits/abort.js";
import { WakeTimer } from "../waits/wake-timer.js";
import type { Waker } from "../waits/waiter.js";

/**
 * The numbers of ticks that come every `ms`, for ever. Tick 0 comes `ms` after the first item was asked for. Later ticks
 * keep in step with that moment, however late single ones are. Ticks do not queue up: after several ticks, the next pull
 * gets the number of the latest one at once, and a gap in the numbers shows how many were missed. A timer runs only during
 * a wait, and is cleared when the stream is closed. O(1) a tick.
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
  /** The number of the next tick. */
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
