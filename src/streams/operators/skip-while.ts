import { inBothStyles } from "../both-styles.js";
import type { Operator } from "../pipe.js";
import { isPromiseLike, type Source } from "../sources/from.js";
import type { Stream } from "../stream.js";
import type { Predicate } from "./filter.js";
import { SKIP, stepThrough } from "./stepped.js";

/**
 * The items from the first one on for which `isSkipped` is false; it is not called after that one. A promise is awaited
 * before the next item is pulled. Holds nothing. An error of `isSkipped` ends the stream and closes the source. O(1) an
 * item; a long skip yields to the event loop.
 *
 * @example
 * console.log(await collect(skipWhile([1, 2, 7, 3], (n) => n < 5), { limit: 10 })); // [ 7, 3 ]
 */
export function skipWhile<T>(isSkipped: Predicate<T>): Operator<T, T>;
export function skipWhile<T>(source: Source<T>, isSkipped: Predicate<T>): Stream<T>;
export function skipWhile(...args: readonly unknown[]): unknown {
  return inBothStyles(skipWhileSkipped, args);
}

function skipWhileSkipped<T>(source: Source<T>, isSkipped: Predicate<T>): Stream<T> {
  let isSkipping = true;
  const decide = (item: T, isStill: boolean): T | typeof SKIP => {
    isSkipping = isStill;
    return isStill ? SKIP : item;
  };
  return stepThrough<T, T>(source, (item, context) => {
    if (!isSkipping) return item;
    const skipped = isSkipped(item, context);
    return isPromiseLike(skipped) ? skipped.then((isStill) => decide(item, isStill)) : decide(item, skipped);
  });
}
