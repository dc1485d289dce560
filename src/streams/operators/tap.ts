import { inBothStyles } from "../both-styles.js";
import type { CallContext } from "../call-context.js";
import type { Operator } from "../pipe.js";
import { isPromiseLike, type Source } from "../sources/from.js";
import type { Stream } from "../stream.js";
import { stepThrough } from "./stepped.js";

/**
 * The same items, each after `f` was called with it. A promise is awaited, and `context.signal` aborts if the stream is
 * closed meanwhile. Holds nothing. An error of `f` ends the stream and closes the source. O(1) an item.
 *
 * @example
 * let bytes = 0;
 * await forEach(tap(["ab", "c"], (text) => void (bytes += text.length)), () => {});
 * console.log(bytes); // 3
 */
export function tap<T>(f: (item: T, context: CallContext) => unknown): Operator<T, T>;
export function tap<T>(source: Source<T>, f: (item: T, context: CallContext) => unknown): Stream<T>;
export function tap(...args: readonly unknown[]): unknown {
  return inBothStyles(tapItems, args);
}

function tapItems<T>(source: Source<T>, f: (item: T, context: CallContext) => unknown): Stream<T> {
  return stepThrough<T, T>(source, (item, context) => {
    const seen = f(item, context);
    return isPromiseLike(seen) ? seen.then(() => item) : item;
  });
}
