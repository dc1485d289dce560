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
  /** How many may pass at once, after a pause that was long enough. Default `items`. */
  readonly burst?: number | undefined;
}

/** What a sum of many times may be wrong by, and more. */
const roundingMs = 1e-6;

/**
 * All items, in order, but not faster than `items` in each `perMs` on average, and never more than `burst` at once: a
 * bucket of `burst` tokens, full at first, into which `items` fall in each `perMs`, and of which each item takes one.
 *
 * It waits for the token before it asks the source, so it limits how often the source is asked too (calls of a service,
 * say), and holds nothing; the end, which takes no token, is thus found no sooner than one more item would be. While
 * there are tokens it does not wait. Timers take whole milliseconds, so a rate above 1000 a second wants a `burst` of
 * more than one. Closing ends its wait at once. Errors pass as they come. O(1) an item.
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
  /** How long it takes until another token falls, and until all but one have. */
  readonly #tokenMs: number;
  readonly #burstMs: number;
  readonly #timer = new WakeTimer();
  /** When the bucket will be full. Before it is, each item moves this by the time of one token. */
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
