import { inBothStyles } from "../both-styles.js";
import type { CallContext } from "../call-context.js";
import type { Operator } from "../pipe.js";
import type { Result } from "../result.js";
import { isPromiseLike, type Source } from "../sources/from.js";
import type { Stream } from "../stream.js";
import { SKIP, stepThrough } from "./stepped.js";

/**
 * The result of `f` for each value, in order, unless it is `undefined`. An error of `f` becomes the item's result, and the
 * stream continues. Results that are errors already are passed on. A promise is awaited before the next item is pulled, and
 * `context.signal` aborts if the stream is closed meanwhile. Holds nothing. An error of the source itself ends the stream;
 * see `settle`. O(1) an item; a long run of dropped items yields to the event loop.
 *
 * @example
 * const texts = ['{"id":1}', "", '{"id":2}'];
 * const ids = pipe(texts, settle(), tryFilterMap((text) => (text === "" ? undefined : (JSON.parse(text).id as number))));
 * console.log(await tryCollect(ids, { limit: 10 })); // { ok: true, value: [ 1, 2 ] }
 */
export function tryFilterMap<T, U>(
  f: (value: T, context: CallContext) => U | undefined | PromiseLike<U | undefined>,
): Operator<Result<T>, Result<U>>;
export function tryFilterMap<T, U>(
  source: Source<Result<T>>,
  f: (value: T, context: CallContext) => U | undefined | PromiseLike<U | undefined>,
): Stream<Result<U>>;
export function tryFilterMap(...args: readonly unknown[]): unknown {
  return inBothStyles(tryFilterMapValues, args);
}

function tryFilterMapValues<T, U>(
  source: Source<Result<T>>,
  f: (value: T, context: CallContext) => U | undefined | PromiseLike<U | undefined>,
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

function valueOf<U>(value: U | undefined): Result<U> | typeof SKIP {
  return value === undefined ? SKIP : { ok: true, value };
}

function errorOf(error: unknown): Result<never> {
  return { ok: false, error };
}
