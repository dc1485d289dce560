import { inBothStyles } from "../both-styles.js";
import { type CallContext, LazyCallContext } from "../call-context.js";
import { Queue } from "../channels/queue.js";
import { checkCount } from "../check-count.js";
import type { Operator } from "../pipe.js";
import { from, isPromiseLike, type Source } from "../sources/from.js";
import { Stage } from "../stage.js";
import { END, PENDING, type Polled, type Stream } from "../stream.js";
import { isTurnOver } from "../waits/turn.js";
import type { Waker } from "../waits/waiter.js";

/**
 * A function that may run several times at once. The calls share a signal, which aborts when the stream is closed or fails.
 */
export type Call<T, U> = (item: T, context: CallContext) => U | PromiseLike<U>;

/**
 * The result of `f` for each item, in order. Up to `n` calls are running or have a result that was not taken yet, so up to
 * `n` items are pulled ahead. Calls begin when the stream is asked for an item.
 *
 * A failure comes after the results before it. Nothing more is pulled once a call has failed. When the stream fails, the
 * signal of the other calls aborts; they are not waited for. Closing the stream aborts it too. O(1) an item, and no promise
 * if `f` and the source do not wait.
 *
 * @example
 * const slow = async (n: number) => {
 *   await sleep(10 - n);
 *   return n * n;
 * };
 * console.log(await collect(buffered([1, 2, 3], 3, slow), { limit: 10 })); // [ 1, 4, 9 ]
 */
export function buffered<T, U>(n: number, f: Call<T, U>): Operator<T, U>;
export function buffered<T, U>(source: Source<T>, n: number, f: Call<T, U>): Stream<U>;
export function buffered(...args: readonly unknown[]): unknown {
  return inBothStyles(callInOrder, args);
}

function callInOrder<T, U>(source: Source<T>, n: number, f: Call<T, U>): Stream<U> {
  checkCount("buffer", n, 1);
  return new Buffered(from(source), n, f);
}

class Buffered<T, U> extends Stage<U> {
  readonly #source: Stream<T>;
  readonly #n: number;
  readonly #f: Call<T, U>;
  readonly #context = new LazyCallContext();
  /** The calls whose results were not taken yet, oldest first. */
  readonly #calls = new Queue<PendingCall<U>>();
  /** Nothing more is pulled: the source has ended, or something has failed. */
  #isDrained = false;
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
    while (this.#calls.length < this.#n && !this.#isDrained && this.#begin(waker)) {
      // A source that is always ready must not block the event loop: the other calls begin in the loop's next turn.
      if (this.#calls.length < this.#n && isTurnOver()) {
        this.#beginLater();
        break;
      }
    }
    const oldest = this.#calls.at(0);
    if (oldest === undefined) return this.#isDrained ? END : PENDING;
    if (oldest.failure !== undefined) throw oldest.failure.error;
    const { result } = oldest;
    if (result !== PENDING) this.#calls.shift();
    return result;
  }

  protected override dispose(): Promise<void> | undefined {
    this.#calls.clear();
    this.#context.abort();
    return this.#source.close();
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

  /** Begins a call. Returns whether there was an item. */
  #begin(waker: Waker): boolean {
    const call = new PendingCall<U>();
    try {
      const item = this.#source.poll(waker);
      if (item === PENDING) return false;
      if (item === END) {
        this.#isDrained = true;
        return false;
      }
      const made = this.#f(item, this.#context);
      if (isPromiseLike(made)) this.#wait(call, made);
      else call.result = made;
    } catch (error) {
      // Queued as a call, so that the results before it come first.
      this.#isDrained = true;
      call.failure = { error };
    }
    this.#calls.push(call);
    return true;
  }

  #wait(call: PendingCall<U>, made: PromiseLike<U>): void {
    made.then(
      (result) => {
        call.result = result;
        if (this.#calls.at(0) === call) this.#waker?.resume();
      },
      (error: unknown) => {
        call.failure = { error };
        this.#isDrained = true;
        if (this.#calls.at(0) === call) this.#waker?.resume();
      },
    );
  }
}

class PendingCall<U> {
  result: U | typeof PENDING = PENDING;
  failure: { readonly error: unknown } | undefined;
}
