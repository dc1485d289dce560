import { inBothStyles } from "../both-styles.js";
import { isPromiseLike, type Source } from "../sources/from.js";
import { drive } from "./drive.js";

/**
 * Accumulates all items with `step`, from `initial` on: `step(step(initial, first), second)`, and so on. A promise is
 * awaited before the next item is pulled. Rejects with an error of the source or `step`, and with the signal's reason as
 * soon as it aborts; the source is then closed. O(1) an item.
 *
 * @example
 * console.log(await fold(range(1, 5), (sum, n) => sum + n, 0)); // 10
 */
export function fold<T, A>(
  step: (accumulated: A, item: T) => A | PromiseLike<A>,
  initial: A,
  signal?: AbortSignal,
): (source: Source<T>) => Promise<A>;
export function fold<T, A>(
  source: Source<T>,
  step: (accumulated: A, item: T) => A | PromiseLike<A>,
  initial: A,
  signal?: AbortSignal,
): Promise<A>;
export function fold(...args: readonly unknown[]): unknown {
  return inBothStyles(foldItems, args);
}

async function foldItems<T, A>(
  source: Source<T>,
  step: (accumulated: A, item: T) => A | PromiseLike<A>,
  initial: A,
  signal?: AbortSignal,
): Promise<A> {
  let accumulated = initial;
  const assign = (value: A): void => {
    accumulated = value;
  };
  await drive<T>(
    source,
    (item) => {
      const next = step(accumulated, item);
      return isPromiseLike(next) ? next.then(assign) : assign(next);
    },
    signal,
  );
  return accumulated;
}
