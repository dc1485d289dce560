import { inBothStyles } from "../both-styles.js";
import type { CallContext } from "../call-context.js";
import type { Operator } from "../pipe.js";
import { isPromiseLike, type Source } from "../sources/from.js";
import { END, type Stream } from "../stream.js";
import type { Predicate } from "./filter.js";
import { stepThrough } from "./stepped.js";

/**
 * The items before the first one for which `isKept` is false. That item is pulled and dropped, and the source is then
 * closed. A promise is awaited before the next item is pulled. Holds nothing. An error of `isKept` ends the stream and
 * closes the source. O(1) an item.
 *
 * @example
 * console.log(await collect(takeWhile([1, 2, 7, 3], (n) => n < 5), { limit: 10 })); // [ 1, 2 ]
 */
export function takeWhile<T, U extends T>(isKept: (item: T, context: CallContext) => item is U): Operator<T, U>;
export function takeWhile<T>(isKept: Predicate<T>): Operator<T, T>;
export function takeWhile<T, U extends T>(
  source: Source<T>,
  isKept: (item: T, context: CallContext) => item is U,
): Stream<U>;
export function takeWhile<T>(source: Source<T>, isKept: Predicate<T>): Stream<T>;
export function takeWhile(...args: readonly unknown[]): unknown {
  return inBothStyles(takeWhileKept, args);
}

function takeWhileKept<T>(source: Source<T>, isKept: Predicate<T>): Stream<T> {
  return stepThrough<T, T>(source, (item, context) => {
    const kept = isKept(item, context);
    if (isPromiseLike(kept)) return kept.then((isTrue) => (isTrue ? item : END));
    return kept ? item : END;
  });
}
