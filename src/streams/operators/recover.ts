import { inBothStyles } from "../both-styles.js";
import { type CallContext, LazyCallContext } from "../call-context.js";
import type { Operator } from "../pipe.js";
import { from, isPromiseLike, type Source } from "../sources/from.js";
import { type Produced, Stage } from "../stage.js";
import { PENDING, type Pending, type Stream } from "../stream.js";
import type { Waker } from "../waits/waiter.js";

/** Returns the source to continue with after an error. It may rethrow the error, or throw another. */
export type Recovery<U> = (error: unknown, context: CallContext) => Source<U> | PromiseLike<Source<U>>;

/**
 * The items of the source. If it fails, then those of the source that `f` returns for its error. An error of that second
 * source or of `f` ends the stream: each `recover` recovers once. Holds nothing. Closing it closes the current source, or
 * aborts `context.signal` if `f` is running. O(1) an item.
 *
 * @example
 * const failing = map([1, 2], (n) => (n === 2 ? Promise.reject(new Error("worn out")) : n));
 * console.log(await collect(recover(failing, () => [8, 9]), { limit: 10 })); // [ 1, 8, 9 ]
 */
export function recover<T, U = T>(f: Recovery<U>): Operator<T, T | U>;
export function recover<T, U = T>(source: Source<T>, f: Recovery<U>): Stream<T | U>;
export function recover(...args: readonly unknown[]): unknown {
  return inBothStyles(recoverFrom, args);
}

function recoverFrom<T, U>(source: Source<T>, f: Recovery<U>): Stream<T | U> {
  return new Recovered<T | U>(from<T | U>(source), f);
}

class Recovered<T> extends Stage<T> {
  #source: Stream<T>;
  #recovery: Recovery<T> | undefined;
  readonly #context = new LazyCallContext();

  constructor(source: Stream<T>, recovery: Recovery<T>) {
    super();
    this.#source = source;
    this.#recovery = recovery;
  }

  protected override produce(waker: Waker): Produced<T> {
    if (this.#recovery === undefined) return this.#source.poll(waker);
    try {
      return this.#source.poll(waker);
    } catch (error) {
      return this.#recover(error, this.#recovery, waker);
    }
  }

  protected override dispose(): Promise<void> | undefined {
    this.#context.abort();
    return this.#source.close();
  }

  #recover(error: unknown, recovery: Recovery<T>, waker: Waker): Produced<T> {
    this.#recovery = undefined;
    const source = recovery(error, this.#context);
    if (isPromiseLike(source)) return this.#goOnLater(source);
    this.#source = from(source);
    return this.#source.poll(waker);
  }

  async #goOnLater(source: PromiseLike<Source<T>>): Promise<Pending> {
    this.#source = from(await source);
    // Closed while `f` was running: the source is not needed, and an error of its closing is dropped.
    if (this.isOver) this.#source.close()?.catch(() => undefined);
    return PENDING;
  }
}
