import { inBothStyles } from "../both-styles.js";
import { isPromiseLike, type Source } from "../sources/from.js";
import { drive } from "./drive.js";

/**
 * Calls `f` with each item, in order; a promise is awaited before the next item is pulled. Resolves after the last one.
 * Rejects with an error of the source or `f`, and with the signal's reason as soon as it aborts; the source is then closed.
 * O(1) an item.
 *
 * @example
 * await forEach(range(0, 3), (n) => console.log(n)); // 0 1 2
 */
export function forEach<T>(f: (item: T) => unknown, signal?: AbortSignal): (source: Source<T>) => Promise<void>;
export function forEach<T>(source: Source<T>, f: (item: T) => unknown, signal?: AbortSignal): Promise<void>;
export function forEach(...args: readonly unknown[]): unknown {
  return inBothStyles(visitEach, args);
}
function visitEach<T>(source: Source<T>, f: (item: T) => unknown, signal?: AbortSignal): Promise<void> {
  return drive<T>(
    source,
    (item) => {
      const answer = f(item);
      return isPromiseLike(answer) ? answer.then(ignore) : undefined;
    },
    signal,
  );
}

function ignore(): void {}
