import { inBothStyles } from "../both-styles.js";
import type { CallContext } from "../call-context.js";
import type { Operator } from "../pipe.js";
import type { Result } from "../result.js";
import { isPromiseLike, type Source } from "../sources/from.js";
import type { Stream } from "../stream.js";
import type { Predicate } from "./filter.js";
import { SKIP, stepThrough } from "./stepped.js";

/**
 * The values for which `isKept` is true, as results, in order. An error of `isKept` becomes the item's result, and the
 * stream continues. Results that are errors already are passed on. A promise is awaited before the next item is pulled, and
 * `context.signal` aborts if the stream is closed meanwhile. Holds nothing. An error of the source itself ends the stream;
 * see `settle`. O(1) an item; a long run of dropped items yields to the event loop.
 *
 * @example
 * const big = pipe([1, 20, 300], settle(), tryFilter((n) => n > 10));
 * console.log(await tryCollect(big, { limit: 10 })); // { ok: true, value: [ 20, 300 ] }
 */
export function tryFilter<T, U extends T>(
  isKept: (value: T, context: CallContext) => value is U,
): Operator<Result<T>, Result<U>>;
export function tryFilter<T>(isKept: Predicate<T>): Operator<Result<T>, Result<T>>;
export function tryFilter<T, U extends T>(
  source: Source<Result<T>>,
  isKept: (value: T, context: CallContext) => value is U,
): Stream<Result<U>>;
export function tryFilter<T>(source: Source<Result<T>>, isKept: Predicate<T>): Stream<Result<T>>;
export function tryFilter(...args: readonly unknown[]): unknown {
  return inBothStyles(tryFilterValues, args);
}

function tryFilterValues<T>(source: Source<Result<T>>, isKept: Predicate<T>): Stream<Result<T>> {
  return stepThrough<Result<T>, Result<T>>(source, (result, context) => {
    if (!result.ok) return result;
    try {
      const kept = isKept(result.value, context);
      if (isPromiseLike(kept)) return kept.then((isTrue) => (isTrue ? result : SKIP), errorOf);
      return kept ? result : SKIP;
    } catch (error) {
      return errorOf(error);
    }
  });
}

function errorOf(error: unknown): Result<never> {
  return { ok: false, error };
}
