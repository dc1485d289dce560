import { inBothStyles } from "../both-styles.js";
import { LimitExceededError } from "../errors.js";
import type { Result } from "../result.js";
import type { Source } from "../sources/from.js";
import type { CollectOptions } from "./collect.js";
import { drive, STOP } from "./drive.js";

/**
 * The values of all results in an array, as a result. At the first result that is an error, it closes the source and
 * resolves to that result. Rejects with `LimitExceededError` when there are more than `limit` values, with the source's own
 * error, and with the signal's reason as soon as it aborts; the source is then closed. O(1) an item.
 *
 * @example
 * const numbers = settle(map(["1", "2"], (text) => JSON.parse(text) as number));
 * console.log(await tryCollect(numbers, { limit: 10 })); // { ok: true, value: [ 1, 2 ] }
 */
export function tryCollect<T>(
  options: CollectOptions,
  signal?: AbortSignal,
): (source: Source<Result<T>>) => Promise<Result<T[]>>;
export function tryCollect<T>(
  source: Source<Result<T>>,
  options: CollectOptions,
  signal?: AbortSignal,
): Promise<Result<T[]>>;
export function tryCollect(...args: readonly unknown[]): unknown {
  return inBothStyles(collectResults, args);
}

async function collectResults<T>(
  source: Source<Result<T>>,
  { limit }: CollectOptions,
  signal?: AbortSignal,
): Promise<Result<T[]>> {
  if (!(limit >= 0)) throw new RangeError(`Cannot collect up to ${limit} items`);
  const values: T[] = [];
  let failed: Result<T[]> | undefined;
  await drive<Result<T>>(
    source,
    (result) => {
      if (!result.ok) {
        failed = result;
        return STOP;
      }
      if (values.length >= limit) throw new LimitExceededError(limit);
      values.push(result.value);
      return undefined;
    },
    signal,
  );
  return failed ?? { ok: true, value: values };
}
