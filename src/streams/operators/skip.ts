import { inBothStyles } from "../both-styles.js";
import { checkCount } from "../check-count.js";
import type { Operator } from "../pipe.js";
import type { Source } from "../sources/from.js";
import type { Stream } from "../stream.js";
import { SKIP, stepThrough } from "./stepped.js";

/**
 * All items but the first `count`, which are pulled and dropped when the first item is asked for. Holds nothing. Throws a
 * `RangeError` if `count` is not a whole number from 0. O(1) an item; a long skip yields to the event loop.
 *
 * @example
 * console.log(await collect(skip(range(0, 5), 3), { limit: 10 })); // [ 3, 4 ]
 */
export function skip<T>(count: number): Operator<T, T>;
export function skip<T>(source: Source<T>, count: number): Stream<T>;
export function skip(...args: readonly unknown[]): unknown {
  return inBothStyles(skipFirst, args);
}

function skipFirst<T>(source: Source<T>, count: number): Stream<T> {
  checkCount("skip", count, 0);
  let left = count;
  return stepThrough<T, T>(source, (item) => {
    if (left === 0) return item;
    left -= 1;
    return SKIP;
  });
}
