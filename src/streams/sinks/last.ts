import { inBothStyles } from "../both-styles.js";
import type { Source } from "../sources/from.js";
import { drive } from "./drive.js";

/**
 * The last item; `undefined` when there is none. Pulls the source to its end and holds one item. Rejects with the source's
 * error, and with the signal's reason as soon as it aborts; the source is then closed. O(1) an item.
 *
 * @example
 * console.log(await last(range(0, 10))); // 9
 */
export function last<T>(signal?: AbortSignal): (source: Source<T>) => Promise<T | undefined>;
export function last<T>(source: Source<T>, signal?: AbortSignal): Promise<T | undefined>;
export function last(...args: readonly unknown[]): unknown {
  return inBothStyles(lastItem, args);
}

async function lastItem<T>(source: Source<T>, signal?: AbortSignal): Promise<T | undefined> {
  let latest: T | undefined;
  await drive<T>(
    source,
    (item) => {
      latest = item;
    },
    signal,
  );
  return latest;
}
