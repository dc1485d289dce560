import type { Operator } from "../pipe.js";
import { from, type Source } from "../sources/from.js";
import { END, type End, type Pulled, Stream } from "../stream.js";
import { inBothStyles } from "../both-styles.js";
import { checkCount } from "../check-count.js";

/**
 * The first `count` items. The source is closed with the last of them, before anybody asks for one more, so nothing is
 * pulled that is not given. What its closing throws comes after that item. O(1) an item.
 *
 * @example
 * console.log(await collect(take(range(1), 3), { limit: 10 })); // [ 1, 2, 3 ]
 */
export function take<T>(count: number): Operator<T, T>;
export function take<T>(source: Source<T>, count: number): Stream<T>;
export function take(...args: readonly unknown[]): unknown {
  return inBothStyles(takeFirst, args);
}

function takeFirst<T>(source: Source<T>, count: number): Stream<T> {
  checkCount("take", count, 0);
  return new Taken(from(source), count);
}

class Taken<T> extends Stream<T> {
  readonly #source: Stream<T>;
  #left: number;

  constructor(source: Stream<T>, count: number) {
    super();
    this.#source = source;
    this.#left = count;
  }

  override pull(): Pulled<T> {
    if (this.#left === 0) return this.#end();
    const item = this.#source.pull();
    return item instanceof Promise ? item.then(this.#count) : this.#count(item);
  }

  override close(): Promise<void> | undefined {
    this.#left = 0;
    return this.#source.close();
  }

  readonly #count = (item: T | End): T | End => {
    if (item === END) {
      this.#left = 0;
    } else if (this.#left > 0) {
      this.#left -= 1;
      // Its failure is told by the pull after this item, which waits for the same promise.
      if (this.#left === 0) this.#source.close()?.catch(() => undefined);
    }
    return item;
  };

  #end(): End | Promise<End> {
    const closing = this.#source.close();
    return closing === undefined ? END : closing.then(() => END);
  }
}
