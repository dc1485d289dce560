import { inBothStyles } from "../both-styles.js";
import { checkCount } from "../check-count.js";
import type { Operator } from "../pipe.js";
import { from, type Source } from "../sources/from.js";
import { type Produced, Stage } from "../stage.js";
import { END, PENDING, type Stream } from "../stream.js";
import { checkDelay } from "../waits/abort.js";
import { WakeTimer } from "../waits/wake-timer.js";
import type { Waker } from "../waits/waiter.js";

export interface ThrottleOptions {
  /** How many items may pass in `perMs`, on average. */
  readonly items: number;
  readonly perMs: number;
  /** How many may pass at once, after a long enough pause. Default `items`. */
  readonly burst?: number | undefined;
}

/** More than the rounding error of a sum of many times. */
const roundingMs = 1e-6;

/**
 * All items, in order, but no more than `items` in each `perMs` on average, and no more than `burst` at once. It is a token
 * bucket: it holds up to `burst` tokens and is full at first, `items` tokens are added in each `perMs`, and each item takes
 * one.
 *
 * It waits for a token before it pulls, so it also limits how often the source is asked (calls of a service, for example),
 * and it holds nothing. The end takes no token, but comes no sooner than one more item would. Timers have whole
 * milliseconds, so a rate above 1000 a second needs a `burst` above one. Closing ends a wait at once. Errors are passed on
 * unchanged. O(1) an item.
 *
 * @example
 * const calm = throttle(range(0, 4), { items: 2, perMs: 20 });
 * console.log(await collect(calm, { limit: 10 })); // [ 0, 1, 2, 3 ]
 */
export function throttle<T>(options: ThrottleOptions): Operator<T, T>;
export function throttle<T>(source: Source<T>, options: ThrottleOptions): Stream<T>;
export function throttle(...args: readonly unknown[]): unknown {
  return inBothStyles(throttleItems, args);
}

function throttleItems<T>(source: Source<T>, { items, perMs, burst = items }: ThrottleOptions): Stream<T> {
  checkCount("pass items at a rate of", items, 1);
  checkCount("pass at once", burst, 1);
  if (!(perMs > 0)) throw new RangeError(`Cannot pass items per ${perMs} ms`);
  checkDelay(perMs / items);
  return new Throttled(from(source), perMs / items, burst);
}

class Throttled<T> extends Stage<T> {
  readonly #source: Stream<T>;
  /** The time in which one token is added, and the time for all tokens but one. */
  readonly #tokenMs: number;
  readonly #burstMs: number;
  readonly #timer = new WakeTimer();
  /** When the bucket will be full. Each item moves this by the time of one token. */
  #fullAt = -Infinity;

  constructor(source: Stream<T>, tokenMs: number, burst: number) {
    super();
    this.#source = source;
    this.#tokenMs = tokenMs;
    this.#burstMs = tokenMs * (burst - 1) + roundingMs;
  }

  protected override produce(waker: Waker): Produced<T> {
    const now = performance.now();
    const waitMs = this.#fullAt - this.#burstMs - now;
    if (waitMs > 0) {
      this.#timer.wakeIn(waitMs, waker);
      return PENDING;
    }
    const item = this.#source.poll(waker);
    if (item !== PENDING && item !== END) this.#fullAt = Math.max(this.#fullAt, now) + this.#tokenMs;
    return item;
  }

  protected override dispose(): Promise<void> | undefined {
    this.#timer.close();
    return this.#source.close();
  }
}
