import { inBothStyles } from "../both-styles.js";
import type { Operator } from "../pipe.js";
import type { Source } from "../sources/from.js";
import type { Stream } from "../stream.js";
import { stepThrough } from "./stepped.js";

/**
 * Each item with its index, from 0: `[index, item]`. Holds nothing. O(1) an item.
 *
 * @example
 * console.log(await collect(enumerate(["a", "b"]), { limit: 10 })); // [ [ 0, 'a' ], [ 1, 'b' ] ]
 */
export function enumerate<T>(): Operator<T, readonly [index: number, item: T]>;
export function enumerate<T>(source: Source<T>): Stream<readonly [index: number, item: T]>;
export function enumerate(...args: readonly unknown[]): unknown {
  return inBothStyles(withIndexes, args);
}

function withIndexes<T>(source: Source<T>): Stream<readonly [index: number, item: T]> {
  let index = -1;
  return stepThrough<T, readonly [number, T]>(source, (item) => {
    index += 1;
    return [index, item];
  });
}
