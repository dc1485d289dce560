import { inBothStyles } from "../both-styles.js";
import type { Source } from "../sources/from.js";
import { drive } from "./drive.js";

/**
 * The number of items. Holds none of them. Rejects with the source's error, and with the signal's reason as soon as it
 * aborts; the source is then closed. O(1) an item.
 *
 * @example
 * console.log(await pipe(range(0, 10), filter((n) => n % 3 === 0), count())); // 4
 */
export function count(signal?: AbortSignal): (source: Source<unknown>) => Promise<number>;
export function count(source: Source<unknown>, signal?: AbortSignal): Promise<number>;
export function count(...args: readonly unknown[]): unknown {
  return inBothStyles(countItems, args);
}

async function countItems(source: Source<unknown>, signal?: AbortSignal): Promise<number> {
  let counted = 0;
  await drive(
    source,
    () => {
      counted += 1;
    },
    signal,
  );
  return counted;
}
