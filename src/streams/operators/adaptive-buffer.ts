import { inBothStyles } from "../both-styles.js";
import { checkCount } from "../check-count.js";
import { from, type Source } from "../sources/from.js";
import { PENDING, type Polled, type Stream } from "../stream.js";
import type { Waker } from "../waits/waiter.js";
import { Prefetched } from "./prefetch.js";

export interface AdaptiveBufferOptions {
  /** The smallest buffer, in items. */
  readonly min: number;
  /** The largest buffer, in items. */
  readonly max: number;
}

/** A stream with a buffer that grows and shrinks. */
export interface AdaptiveBuffer<T> extends Stream<T> {
  /** The present size of the buffer: how many items may be pulled ahead. */
  readonly limit: number;
  /** How many items are pulled ahead. */
  readonly size: number;
}

/**
 * All items, in order, with a buffer of items that are pulled ahead. The buffer has room for `min` items at first. It
 * doubles, up to `max`, when the consumer has to wait after it took a whole buffer since its last wait. It halves,
 * down to `min`, when it was full at more than `limit` polls in a row. So a source in bursts gets room, and a slow
 * consumer holds no more than it needs. An error comes after the items before it. O(1) an item.
 *
 * @example
 * const numbers = adaptiveBuffer(range(0, 100), { min: 2, max: 64 });
 * console.log(await count(numbers), numbers.limit); // 100 2
 */
export function adaptiveBuffer<T>(options: AdaptiveBufferOptions): (source: Source<T>) => AdaptiveBuffer<T>;
export function adaptiveBuffer<T>(source: Source<T>, options: AdaptiveBufferOptions): AdaptiveBuffer<T>;
export function adaptiveBuffer(...args: readonly unknown[]): unknown {
  return inBothStyles(bufferAdaptively, args);
}

function bufferAdaptively<T>(source: Source<T>, { min, max }: AdaptiveBufferOptions): AdaptiveBuffer<T> {
  checkCount("set min to", min, 1);
  checkCount("set max to", max, min);
  return new AdaptivelyBuffered(from(source), min, max);
}

class AdaptivelyBuffered<T> extends Prefetched<T> implements AdaptiveBuffer<T> {
  readonly #min: number;
  readonly #max: number;
  #takenSinceWait = 0;
  #fullInARow = 0;

  constructor(source: Stream<T>, min: number, max: number) {
    super(source, min);
    this.#min = min;
    this.#max = max;
  }

  get limit(): number {
    return this.bound;
  }

  protected override produce(waker: Waker): Polled<T> {
    this.#fullInARow = this.size >= this.bound ? this.#fullInARow + 1 : 0;
    if (this.#fullInARow > this.bound && this.bound > this.#min) {
      this.bound = Math.max(this.#min, Math.floor(this.bound / 2));
      this.#fullInARow = 0;
    }
    const item = super.produce(waker);
    if (item !== PENDING) {
      this.#takenSinceWait += 1;
    } else {
      if (this.#takenSinceWait >= this.bound) this.bound = Math.min(this.#max, this.bound * 2);
      this.#takenSinceWait = 0;
    }
    return item;
  }
}
