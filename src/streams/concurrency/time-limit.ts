import type { CallContext } from "../call-context.js";
import { TimeoutError } from "../errors.js";
import { isPromiseLike } from "../sources/from.js";
import { checkDelay } from "../waits/abort.js";
import { type ChildSignal, childSignal } from "./child-signal.js";

/**
 * `f` with a limit on how long each call may take. Use it in `map`, `buffered` and the like, or alone. At the limit the
 * call rejects with `TimeoutError` at once, and `context.signal` of `f` aborts with the same error; the later result or
 * rejection of `f` is dropped. An abort of the outer signal is passed on to `f`, which is still awaited, up to the limit.
 * Timer and listener are removed when the call settles. Holds nothing; O(1) a call.
 *
 * @example
 * const answer = timeLimit(20, (question: string, { signal }) => sleep(question.length, signal).then(() => 42));
 * console.log(await answer("short")); // 42
 * console.log(await answer("long".repeat(100)).catch((error: Error) => error.name)); // TimeoutError
 */
export function timeLimit<T, U>(
  ms: number,
  f: (item: T, context: CallContext) => U | PromiseLike<U>,
): (item: T, context?: CallContext) => Promise<U> {
  checkDelay(ms);
  return (item, outer) => {
    const context = new LimitedContext(outer);
    return new Promise<U>((resolve, reject) => {
      let answer: U | PromiseLike<U>;
      try {
        answer = f(item, context);
      } catch (error) {
        context.settle();
        throw error;
      }
      if (!isPromiseLike(answer)) {
        context.settle();
        resolve(answer);
        return;
      }
      const timer = setTimeout(() => {
        const error = new TimeoutError("the call", ms);
        // Before the abort, since `f` may then reject with another error.
        reject(error);
        context.abort(error);
      }, ms);
      const settle = () => {
        clearTimeout(timer);
        context.settle();
      };
      answer.then(
        (value) => {
          settle();
          resolve(value);
        },
        (error: unknown) => {
          settle();
          reject(error);
        },
      );
    });
  };
}

/** Makes the signal when `f` reads it: most calls never do. */
class LimitedContext implements CallContext {
  readonly #outer: CallContext | undefined;
  #child: ChildSignal | undefined;
  #reason: { readonly error: unknown } | undefined;
  #isSettled = false;

  constructor(outer: CallContext | undefined) {
    this.#outer = outer;
  }

  get signal(): AbortSignal {
    if (this.#child === undefined) {
      // A call that has settled leaves no listener behind.
      this.#child = childSignal(this.#isSettled ? undefined : this.#outer?.signal);
      if (this.#reason !== undefined) this.#child.abort(this.#reason.error);
    }
    return this.#child.signal;
  }

  abort(error: unknown): void {
    this.#reason = { error };
    this.settle();
    this.#child?.abort(error);
  }

  settle(): void {
    this.#isSettled = true;
    this.#child?.unlink();
  }
}
