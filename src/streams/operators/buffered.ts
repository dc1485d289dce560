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

/** What runs several at once: its signal aborts for all of them when the stream is closed or fails. */
export type Call<T, U> = (item: T, context: CallContext) => U | PromiseLike<U>;

/**
 * What `f` makes of each item, in order, with at most `n` calls at once: under way, or finished and not given yet, so
 * `n` items at most are pulled ahead. Calls begin when the stream is asked for an item. A failure comes after the results
 * before it: once it is known nothing more is pulled, and when it is told the other calls are told by their signal, and
 * not waited for. Closing it tells all of them. O(1) an item, and no promise where `f` and the source give at once.
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
  /** The calls whose results were not given, oldest first. */
  readonly #calls = new Queue<PendingCall<U>>();
  /** Nothing more is to be pulled: the source has ended, or something has failed. */
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
      // Many calls over a source that is always ready must not hold up the loop: the rest begins in its next turn.
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

  /** Whether there was an item to begin with. */
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
      // In its place: the results before it come first.
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
