import { inBothStyles } from "../both-styles.js";
import type { Source } from "../sources/from.js";
import { drive, STOP } from "./drive.js";

/**
 * The first item; `undefined` when there is none. Pulls one item, closes the source, and resolves when the source has
 * cleaned up. Rejects with the source's error, including one of its closing, and with the signal's reason as soon as it
 * aborts. O(1).
 *
 * @example
 * console.log(await pipe(range(1), filter((n) => n % 7 === 0), first())); // 7
 */
export function first<T>(signal?: AbortSignal): (source: Source<T>) => Promise<T | undefined>;
export function first<T>(source: Source<T>, signal?: AbortSignal): Promise<T | undefined>;
export function first(...args: readonly unknown[]): unknown {
  return inBothStyles(firstItem, args);
}

async function firstItem<T>(source: Source<T>, signal?: AbortSignal): Promise<T | undefined> {
  let found: T | undefined;
  await drive<T>(
    source,
    (item) => {
      found = item;
      return STOP;
    },
    signal,
  );
  return found;
}
