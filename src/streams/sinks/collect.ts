import { LimitExceededError } from "../errors.js";
import { inBothStyles } from "../both-styles.js";
import type { Source } from "../sources/from.js";
import { drive } from "./drive.js";

export interface CollectOptions {
  /** How many items the array may hold. One more is an error, since an array is a buffer too. */
  readonly limit: number;
}

/**
 * All items in an array. Rejects with `LimitExceededError` when there are more than `limit` items, with the source's error,
 * and with the signal's reason as soon as it aborts; the source is then closed. For the first few of many items, put `take`
 * before it. O(1) an item.
 *
 * @example
 * console.log(await collect(range(0, 3), { limit: 100 })); // [ 0, 1, 2 ]
 */
export function collect<T>(options: CollectOptions, signal?: AbortSignal): (source: Source<T>) => Promise<T[]>;
export function collect<T>(source: Source<T>, options: CollectOptions, signal?: AbortSignal): Promise<T[]>;
export function collect(...args: readonly unknown[]): unknown {
  return inBothStyles(collectItems, args);
}

async function collectItems<T>(source: Source<T>, { limit }: CollectOptions, signal?: AbortSignal): Promise<T[]> {
  if (!(limit >= 0)) throw new RangeError(`Cannot collect up to ${limit} items`);
  const items: T[] = [];
  await drive<T>(
    source,
    (item) => {
      if (items.length >= limit) throw new LimitExceededError(limit);
      items.push(item);
    },
    signal,
  );
  return items;
}
