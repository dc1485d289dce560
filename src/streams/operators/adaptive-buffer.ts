import { inBothStyles } from "../both-styles.js";
import { checkCount } from "../check-count.js";
import { from, type Source } from "../sources/from.js";
import { PENDING, type Polled, type Stream } from "../stream.js";
import type { Waker } from "../waits/waiter.js";
import { Prefetched } from "./prefetch.js";

export interface AdaptiveBufferOptions {
  /** How many items are pulled ahead at least. */
  readonly min: number;
  /** How many items are pulled ahead at most. */
  readonly max: number;
}

/** A stream with a buffer that grows and shrinks. */
export interface AdaptiveBuffer<T> extends Stream<T> {
  /** How many items may be pulled ahead now. */
  readonly limit: number;
  /** How many are. */
  readonly size: number;
}

/**
 * All items, in order, of which some are pulled ahead: `min` at first. Twice as many, up to `max`, each time the
 * consumer has to wait although it took a whole buffer since it last waited; half as many, down to `min`, when the
 * buffer was full at as many polls in a row as it holds. So a source in bursts gets room, and a slow consumer does not
 * hold what it does not need. An error comes after the items before it. O(1) an item.
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
  checkCount("buffer at least", min, 1);
  checkCount("buffer at most", max, min);
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
