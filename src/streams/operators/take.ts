import type { Operator } from "../pipe.js";
import { from, type Source } from "../sources/from.js";
import { Stage } from "../stage.js";
import { END, type Stream } from "../stream.js";
import { inBothStyles } from "../both-styles.js";
import { checkCount } from "../check-count.js";
import { LastItem, stepThrough } from "./stepped.js";

/**
 * The first `count` items. The source is closed with the last of them, not at the next pull, so no further item is pulled.
 * An error of its closing comes after that item. O(1) an item.
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
  if (count === 0) return new Nothing(from(source));
  let left = count;
  return stepThrough<T, T>(source, (item) => {
    left -= 1;
    return left === 0 ? new LastItem(item) : item;
  });
}

/** Closes its source without a pull. */
class Nothing extends Stage<never> {
  readonly #source: Stream<unknown>;

  constructor(source: Stream<unknown>) {
    super();
    this.#source = source;
  }

  protected override produce(): typeof END {
    return END;
  }

  protected override dispose(): Promise<void> | undefined {
    return this.#source.close();
  }
}
