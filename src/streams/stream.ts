import { PENDING, type Pending, Waiter, type Waker } from "./waits/waiter.js";
import { isTurnOver, yieldToEventLoop } from "./waits/turn.js";

/** What a stream returns after its last item: a value that no item can have. */
export const END: unique symbol = Symbol("end");
export type End = typeof END;

export { PENDING, type Pending };

/** The result of a poll. PENDING: neither an item nor the end; the waker is woken when it is worth polling again. */
export type Polled<T> = T | End | Pending;

/** The result of a pull: an item or the end, now or later. An item is never a promise, so a promise always means later. */
export type Pulled<T> = T | End | Promise<T | End>;

/**
 * A stream of items, which every source and operator of this room returns. For all other code it is an async iterator. It
 * is single use.
 *
 * Operators and sinks do not call `next`: they `poll`. A poll returns an item, the end, or PENDING. After PENDING, the
 * stream wakes the waker of that poll once it is worth polling again. So an item passes through any number of stages in one
 * call and without a promise. An item that has to be waited for costs two promises, however many stages it passes: one
 * where it comes from, and one where it is awaited.
 *
 * Both sides keep these rules:
 *
 * - There is one waker at a time: that of the last poll.
 * - A wake may come too often, but is never missing. A woken consumer polls later, not inside `wake`.
 * - A poll throws when the stream fails. After the end or an error, it always returns the end.
 * - `close` may be called at any time, and repeatedly. A waiting consumer is then woken, and gets the end.
 */
export abstract class Stream<T> implements AsyncIterableIterator<T, undefined, undefined> {
  /** The waits of `pull` and `next`. Their items are unknown, so that a `Stream<Dog>` is a `Stream<Animal>`. */
  #pullWaiter: Waiter<unknown> | undefined;
  #nextWaiter: Waiter<unknown> | undefined;
  /** The last pending result of `next`, and the number of pending results. */
  #latest: Promise<unknown> | undefined;
  #pending = 0;

  /** Returns the next item, the end, or PENDING. Throws when the stream fails; the stream has then ended. */
  abstract poll(waker: Waker): Polled<T>;

  /**
   * Ends the stream early and closes its sources, once. The promise settles when all `finally` blocks upstream have run,
   * and rejects with their error. A foreign source that is inside a wait receives `return()`, but is not waited for.
   */
  abstract close(): Promise<void> | undefined;

  /** Polls, and returns a promise only if it has to wait. One call at a time. Throws or rejects when `poll` throws. */
  pull(): Pulled<T> {
    const waiter = (this.#pullWaiter ??= this.#waiterForPull());
    const item = this.poll(waiter);
    return item === PENDING ? (waiter.wait() as Promise<T | End>) : item;
  }

  /** The next item. Overlapping calls are served in order. Yields to the event loop when that is due. */
  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#pending > 0) return this.#nextBehind(this.#latest);
    if (isTurnOver()) return this.#nextBehind(yieldToEventLoop());
    const waiter = (this.#nextWaiter ??= this.#waiterForNext());
    try {
      const item = this.poll(waiter);
      if (item !== PENDING) return Promise.resolve(resultOf(item));
    } catch (error) {
      return Promise.reject(error as Error);
    }
    this.#pending += 1;
    const result = waiter.wait() as Promise<IteratorResult<T, undefined>>;
    this.#latest = result;
    return result;
  }

  /** Ends the stream early, as `break` in a loop does; see `close`. */
  async return(): Promise<IteratorReturnResult<undefined>> {
    await this.close();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  // Separate methods: a function that contains a closure pays for it at every call.
  #waiterForPull(): Waiter<unknown> {
    return new Waiter<unknown>((waker) => this.poll(waker));
  }

  #waiterForNext(): Waiter<unknown> {
    return new Waiter<unknown>((waker) => this.#pollForNext(waker));
  }

  /** Polls for the call of `next` that waits. */
  #pollForNext(waker: Waker): IteratorResult<T, undefined> | Pending {
    try {
      const item = this.poll(waker);
      if (item === PENDING) return PENDING;
      this.#settleOne();
      return resultOf(item);
    } catch (error) {
      this.#settleOne();
      throw error;
    }
  }

  /** The next item, after other calls or a turn of the event loop. */
  #nextBehind(before: Promise<unknown> | undefined): Promise<IteratorResult<T, undefined>> {
    this.#pending += 1;
    const result = this.#pullBehind(before);
    this.#latest = result;
    return result;
  }

  async #pullBehind(before: Promise<unknown> | undefined): Promise<IteratorResult<T, undefined>> {
    try {
      // Its own caller gets its failure.
      await before?.catch(() => undefined);
      return resultOf(await this.pull());
    } finally {
      this.#settleOne();
    }
  }

  /** Forgets the results once none is pending: an item may be large. */
  #settleOne(): void {
    this.#pending -= 1;
    if (this.#pending === 0) this.#latest = undefined;
  }
}

function resultOf<T>(item: T | End): IteratorResult<T, undefined> {
  return item === END ? { done: true, value: undefined } : { done: false, value: item };
}
