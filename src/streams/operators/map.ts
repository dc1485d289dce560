import type { Operator } from "../pipe.js";
import type { Source } from "../sources/from.js";
import type { Stream } from "../stream.js";
import { inBothStyles } from "../both-styles.js";
import type { CallContext } from "../call-context.js";
import { stepThrough } from "./stepped.js";

/**
 * The result of `f` for each item, in order. A promise is awaited before the next item is pulled, and `context.signal`
 * aborts if the stream is closed meanwhile. Holds nothing. An error of `f` ends the stream and closes the source. O(1) an
 * item. For several calls of `f` at once, see `buffered`.
 *
 * @example
 * console.log(await collect(map([1, 2, 3], (n) => n * 2), { limit: 10 })); // [ 2, 4, 6 ]
 */
export function map<T, U>(f: (item: T, context: CallContext) => U | PromiseLike<U>): Operator<T, U>;
export function map<T, U>(source: Source<T>, f: (item: T, context: CallContext) => U | PromiseLike<U>): Stream<U>;
export function map(...args: readonly unknown[]): unknown {
  return inBothStyles(mapItems, args);
}

function mapItems<T, U>(source: Source<T>, f: (item: T, context: CallContext) => U | PromiseLike<U>): Stream<U> {
  return stepThrough(source, f);
}
