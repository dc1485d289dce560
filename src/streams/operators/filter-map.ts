import { inBothStyles } from "../both-styles.js";
import type { CallContext } from "../call-context.js";
import type { Operator } from "../pipe.js";
import { isPromiseLike, type Source } from "../sources/from.js";
import type { Stream } from "../stream.js";
import { SKIP, stepThrough } from "./stepped.js";

/**
 * The result of `f` for each item, in order, unless it is `undefined`. A promise is awaited before the next item is pulled,
 * and `context.signal` aborts if the stream is closed meanwhile. Holds nothing. An error of `f` ends the stream and closes
 * the source. O(1) an item; a long run of dropped items yields to the event loop.
 *
 * @example
 * const numbers = filterMap(["1", "x", "3"], (text) => (/^\d+$/.test(text) ? Number(text) : undefined));
 * console.log(await collect(numbers, { limit: 10 })); // [ 1, 3 ]
 */
export function filterMap<T, U>(
  f: (item: T, context: CallContext) => U | undefined | PromiseLike<U | undefined>,
): Operator<T, U>;
export function filterMap<T, U>(
  source: Source<T>,
  f: (item: T, context: CallContext) => U | undefined | PromiseLike<U | undefined>,
): Stream<U>;
export function filterMap(...args: readonly unknown[]): unknown {
  return inBothStyles(filterMapItems, args);
}

function filterMapItems<T, U>(
  source: Source<T>,
  f: (item: T, context: CallContext) => U | undefined | PromiseLike<U | undefined>,
): Stream<U> {
  return stepThrough<T, U>(source, (item, context) => {
    const made = f(item, context);
    return isPromiseLike(made) ? made.then(skipUndefined) : skipUndefined(made);
  });
}

function skipUndefined<U>(made: U | undefined): U | typeof SKIP {
  return made === undefined ? SKIP : made;
}
