import { inBothStyles } from "../both-styles.js";
import type { CallContext } from "../call-context.js";
import type { Operator } from "../pipe.js";
import type { Result } from "../result.js";
import { isPromiseLike, type Source } from "../sources/from.js";
import type { Stream } from "../stream.js";
import { stepThrough } from "./stepped.js";

/**
 * The result of `f` for each value, in order. An error of `f` becomes the item's result, and the stream continues. Results
 * that are errors already are passed on. A promise is awaited before the next item is pulled, and `context.signal` aborts
 * if the stream is closed meanwhile. Holds nothing. An error of the source itself ends the stream; see `settle`. O(1) an
 * item.
 *
 * @example
 * const results = pipe(["1", "x"], settle(), tryMap((text) => JSON.parse(text) as number));
 * console.log(await collect(map(results, ({ ok }) => ok), { limit: 10 })); // [ true, false ]
 */
export function tryMap<T, U>(f: (value: T, context: CallContext) => U | PromiseLike<U>): Operator<Result<T>, Result<U>>;
export function tryMap<T, U>(
  source: Source<Result<T>>,
  f: (value: T, context: CallContext) => U | PromiseLike<U>,
): Stream<Result<U>>;
export function tryMap(...args: readonly unknown[]): unknown {
  return inBothStyles(tryMapValues, args);
}

function tryMapValues<T, U>(
  source: Source<Result<T>>,
  f: (value: T, context: CallContext) => U | PromiseLike<U>,
): Stream<Result<U>> {
  return stepThrough<Result<T>, Result<U>>(source, (result, context) => {
    if (!result.ok) return result;
    try {
      const made = f(result.value, context);
      return isPromiseLike(made) ? made.then(valueOf, errorOf) : valueOf(made);
    } catch (error) {
      return errorOf(error);
    }
  });
}

function valueOf<U>(value: U): Result<U> {
  return { ok: true, value };
}

function errorOf(error: unknown): Result<never> {
  return { ok: false, error };
}
