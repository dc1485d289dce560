import { inBothStyles } from "../both-styles.js";
import { LazyCallContext } from "../call-context.js";
import { Queue } from "../channels/queue.js";
import { checkCount } from "../check-count.js";
import type { Operator } from "../pipe.js";
import { from, isPromiseLike, type Source } from "../sources/from.js";
import { Stage } from "../stage.js";
import { END, PENDING, type Polled, type Stream } from "../stream.js";
import { isTurnOver } from "../waits/turn.js";
import type { Waker } from "../waits/waiter.js";
import type { Call } from "./buffered.js";

/**
 * The result of `f` for each item, in the order in which calls finish. Up to `n` calls are running or have a result that
 * was not taken yet, so up to `n` items are pulled ahead. Calls begin when the stream is asked for an item.
 *
 * A failure of a call comes after the results before it. From then on nothing more is pulled, and the signal of the other
 * calls aborts; they are not waited for. A failure of the source comes when the calls before it are done. Closing the
 * stream aborts the signal of all calls. O(1) an item, one `then` a call, and no promise if `f` and the source do not wait.
 *
 * @example
 * const slow = async (n: number) => {
 *   await sleep(n * 5);
 *   return n;
 * };
 * console.log(await collect(bufferedUnordered([3, 1, 2], 3, slow), { limit: 10 })); // [ 1, 2, 3 ]
 */
export function bufferedUnordered<T, U>(n: number, f: Call<T, U>): Operator<T, U>;
export function bufferedUnordered<T, U>(source: Source<T>, n: number, f: Call<T, U>): Stream<U>;
export function bufferedUnordered(...args: readonly unknown[]): unknown {
  return inBothStyles(callAtOnce, args);
}

function callAtOnce<T, U>(source: Source<T>, n: number, f: Call<T, U>): Stream<U> {
  checkCount("buffer", n, 1);
  return new BufferedUnordered(from(source), n, f);
}

class BufferedUnordered<T, U> extends Stage<U> {
  readonly #source: Stream<T>;
  readonly #n: number;
  readonly #f: Call<T, U>;
  readonly #context = new LazyCallContext();
  readonly #results = new Queue<U>();
  #running = 0;
  #isDrained = false;
  /** The source's error, which comes when the calls before it are done. */
  #sourceFailure: { readonly error: unknown } | undefined;
  #failure: { readonly error: unknown } | undefined;
  #waker: Waker | undefined;
  #awaitsTurn = false;

  constructor(source: Stream<T>, n: number, f: Call<T, U>) {
    super();
    this.#source = source;
    this.#n = n;
    this.#f = f;
  }

  protected override produce(waker: Waker): Polled<U> {
    this.#waker = waker;
    this.#fill(waker);
    if (this.#results.length > 0) return this.#results.shift() as U;
    if (this.#failure !== undefined) throw this.#failure.error;
    if (!this.#isDrained || this.#running > 0) return PENDING;
    if (this.#sourceFailure !== undefined) throw this.#sourceFailure.error;
    return END;
  }

  protected override dispose(): Promise<void> | undefined {
    this.#results.clear();
    this.#context.abort();
    return this.#source.close();
  }

  #fill(waker: Waker): void {
    while (!this.#isDrained && this.#running + this.#results.length < this.#n) {
      const item = this.#pollSource(waker);
      if (item === PENDING) return;
      if (item === END) this.#isDrained = true;
      else this.#begin(item);
      if (this.#running + this.#results.length < this.#n && isTurnOver()) {
        // A source that is always ready must not block the event loop: the other calls begin in the loop's next turn.
        this.#beginLater();
        return;
      }
    }
  }

  #beginLater(): void {
    if (this.#awaitsTurn) return;
    this.#awaitsTurn = true;
    setImmediate(this.#onTurn);
  }

  readonly #onTurn = (): void => {
    this.#awaitsTurn = false;
    if (!this.isOver) this.#waker?.resume();
  };

  #pollSource(waker: Waker): Polled<T> {
    try {
      return this.#source.poll(waker);
    } catch (error) {
      this.#sourceFailure = { error };
      return END;
    }
  }

  #begin(item: T): void {
    try {
      const made = this.#f(item, this.#context);
      if (isPromiseLike(made)) {
        this.#running += 1;
        made.then(this.#onResult, this.#onFailure);
      } else {
        this.#results.push(made);
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  // Fields that all calls share: two closures for each call would cost more than the rest.
  readonly #onResult = (result: U): void => {
    this.#running -= 1;
    if (this.isOver || this.#failure !== undefined) return;
    this.#results.push(result);
    this.#waker?.resume();
  };

  readonly #onFailure = (error: unknown): void => {
    this.#running -= 1;
    if (this.isOver) return;
    this.#fail(error);
    this.#waker?.resume();
  };

  #fail(error: unknown): void {
    this.#isDrained = true;
    this.#failure ??= { error };
    // The results of running calls will be dropped.
    this.#context.abort();
  }
}
