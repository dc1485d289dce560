import type { Operator } from "../pipe.js";
import { isPromiseLike, type Source } from "../sources/from.js";
import type { Stream } from "../stream.js";
import { inBothStyles } from "../both-styles.js";
import type { CallContext } from "../call-context.js";
import { SKIP, stepThrough } from "./stepped.js";

/** A condition on an item; a promise is awaited before the next item is pulled. */
export type Predicate<T> = (item: T, context: CallContext) => boolean | PromiseLike<boolean>;

/**
 * The items for which `isKept` is true, in order. Holds nothing. An error of `isKept` ends the stream and closes the
 * source. O(1) an item; a long run of dropped items yields to the event loop.
 *
 * @example
 * console.log(await collect(filter([1, 2, 3, 4], (n) => n % 2 === 0), { limit: 10 })); // [ 2, 4 ]
 */
export function filter<T, U extends T>(isKept: (item: T, context: CallContext) => item is U): Operator<T, U>;
export function filter<T>(isKept: Predicate<T>): Operator<T, T>;
export function filter<T, U extends T>(
  source: Source<T>,
  isKept: (item: T, context: CallContext) => item is U,
): Stream<U>;
export function filter<T>(source: Source<T>, isKept: Predicate<T>): Stream<T>;
export function filter(...args: readonly unknown[]): unknown {
  return inBothStyles(filterItems, args);
}

function filterItems<T>(source: Source<T>, isKept: Predicate<T>): Stream<T> {
  return stepThrough<T, T>(source, (item, context) => {
    const kept = isKept(item, context);
    if (isPromiseLike(kept)) return kept.then((isTrue) => (isTrue ? item : SKIP));
    return kept ? item : SKIP;
  });
}
