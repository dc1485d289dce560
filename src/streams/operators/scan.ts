import { inBothStyles } from "../both-styles.js";
import type { CallContext } from "../call-context.js";
import type { Operator } from "../pipe.js";
import { isPromiseLike, type Source } from "../sources/from.js";
import type { Stream } from "../stream.js";
import { stepThrough } from "./stepped.js";

/** Returns the next accumulated value, from the present one and an item. */
export type Accumulate<T, A> = (accumulated: A, item: T, context: CallContext) => A | PromiseLike<A>;

/**
 * The accumulated value after each item: `step(initial, first)`, then `step` of that and the second item, and so on. `fold`
 * returns only the last of these. `initial` itself is not an item. A promise is awaited before the next item is pulled.
 * Holds the accumulated value. An error of `step` ends the stream and closes the source. O(1) an item.
 *
 * @example
 * console.log(await collect(scan([1, 2, 3], (sum, n) => sum + n, 0), { limit: 10 })); // [ 1, 3, 6 ]
 */
export function scan<T, A>(step: Accumulate<T, A>, initial: A): Operator<T, A>;
export function scan<T, A>(source: Source<T>, step: Accumulate<T, A>, initial: A): Stream<A>;
export function scan(...args: readonly unknown[]): unknown {
  return inBothStyles(scanItems, args);
}

function scanItems<T, A>(source: Source<T>, step: Accumulate<T, A>, initial: A): Stream<A> {
  let accumulated = initial;
  const keep = (next: A): A => {
    accumulated = next;
    return next;
  };
  return stepThrough<T, A>(source, (item, context) => {
    const next = step(accumulated, item, context);
    return isPromiseLike(next) ? next.then(keep) : keep(next);
  });
}
