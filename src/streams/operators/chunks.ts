import { inBothStyles } from "../both-styles.js";
import { checkCount } from "../check-count.js";
import type { Operator } from "../pipe.js";
import { from, type Source } from "../sources/from.js";
import type { Stream } from "../stream.js";
import { Batches } from "./batch.js";

/**
 * Arrays of `size` items each, in order; the last has the remaining items. Holds the chunk that it fills, and pulls nothing
 * between two. An error comes after the chunk of the items before it. Closing drops the held items. O(1) an item. For a
 * bound in time or bytes, see `batch`.
 *
 * @example
 * console.log(await collect(chunks(range(0, 5), 2), { limit: 10 })); // [ [ 0, 1 ], [ 2, 3 ], [ 4 ] ]
 */
export function chunks<T>(size: number): Operator<T, T[]>;
export function chunks<T>(source: Source<T>, size: number): Stream<T[]>;
export function chunks(...args: readonly unknown[]): unknown {
  return inBothStyles(chunkItems, args);
}

function chunkItems<T>(source: Source<T>, size: number): Stream<T[]> {
  checkCount("make chunks of", size, 1);
  return new Batches(from(source), { maxItems: size });
}
