import { inBothStyles } from "../both-styles.js";
import type { Operator } from "../pipe.js";
import type { Source } from "../sources/from.js";
import type { Stream } from "../stream.js";
import { SKIP, stepThrough } from "./stepped.js";

/**
 * The items that differ from the item before them: the first of equal items in a row. `isSame` compares the last returned
 * item with the new one; the default is `Object.is`. Holds one item. An error of `isSame` ends the stream and closes the
 * source. O(1) an item; a long run of equal items yields to the event loop.
 *
 * @example
 * console.log(await collect(distinct([1, 1, 2, 2, 1]), { limit: 10 })); // [ 1, 2, 1 ]
 */
export function distinct<T>(isSame?: (given: T, item: T) => boolean): Operator<T, T>;
export function distinct<T>(source: Source<T>, isSame?: (given: T, item: T) => boolean): Stream<T>;
export function distinct(...args: readonly unknown[]): unknown {
  return inBothStyles(distinctItems, args);
}

function distinctItems<T>(source: Source<T>, isSame: (given: T, item: T) => boolean = Object.is): Stream<T> {
  let given: T | typeof SKIP = SKIP;
  return stepThrough<T, T>(source, (item) => {
    if (given !== SKIP && isSame(given, item)) return SKIP;
    given = item;
    return item;
  });
}
