import { PENDING, type Pending, Waiter, type Waker } from "./waits/waiter.js";
import { isTurnOver, yieldToEventLoop } from "./waits/turn.js";

/** What a stream gives after its last item: a value that no item can be. */
export const END: unique symbol = Symbol("end");
export type End = typeof END;

export { PENDING, type Pending };

/** What a poll gives. PENDING: neither an item nor the end, and the waker is woken when it is worth polling again. */
export type Polled<T> = T | End | Pending;

/** What a pull gives: an item or the end, now or later. An item is never a promise, so a promise always means later. */
export type Pulled<T> = T | End | Promise<T | End>;

/**
 * A stream of items: what every source and operator of this room gives, and an async iterator for everybody else. It
 * is single use.
 *
 * Operators and sinks do not go through `next`: they `poll`. A poll gives an item, the end, or PENDING, in which case
 * the waker that came with it is woken once it is worth polling again. So an item passes through any number of stages
 * in one call and without a promise, and one that had to be waited for costs a promise where it comes from, and one
 * where it is waited for, however many stages lie between.
 *
 * Both sides keep to this: one waker at a time, the last poll's; a wake may come too often and never too seldom, and
 * whoever is woken polls later, not inside the wake; a poll throws when the stream fails; after the end or an error,
 * always the end; `close` may come at any time and more than once, and whoever waits is then woken and gets the end.
 */
export abstract class Stream<T> implements AsyncIterableIterator<T, undefined, undefined> {
  /** The waits of `pull` and `next`. Of unknown items: a stream of dogs is a stream of animals. */
  #pullWaiter: Waiter<unknown> | undefined;
  #nextWaiter: Waiter<unknown> | undefined;
  /** The last of the results that are pending, and how many they are. */
  #latest: Promise<unknown> | undefined;
  #pending = 0;

  /** The next item, the end, or PENDING; throws when the stream fails, and has ended then. */
  abstract poll(waker: Waker): Polled<T>;

  /**
   * Ends the stream early, and whatever it stands on, once. The promise settles when all `finally` blocks upstream have
   * run, and rejects with what they threw; a foreign source that is parked in a wait is told, and not waited for.
   */
  abstract close(): Promise<void> | undefined;

  /** A poll as a promise, where there is something to wait for. One at a time. Throws or rejects as `poll` throws. */
  pull(): Pulled<T> {
    const waiter = (this.#pullWaiter ??= this.#waiterForPull());
    const item = this.poll(waiter);
    return item === PENDING ? (waiter.wait() as Promise<T | End>) : item;
  }

  /** The next item. Calls that overlap are served in order. Gives the event loop its turn when that is due. */
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

  // Apart from where they are used: a function with a closure in it pays for that closure at each call.
  #waiterForPull(): Waiter<unknown> {
    return new Waiter<unknown>((waker) => this.poll(waker));
  }

  #waiterForNext(): Waiter<unknown> {
    return new Waiter<unknown>((waker) => this.#pollForNext(waker));
  }

  /** Polls for the one call of `next` that waits. */
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

  /** Behind other calls, or a turn of the event loop. */
  #nextBehind(before: Promise<unknown> | undefined): Promise<IteratorResult<T, undefined>> {
    this.#pending += 1;
    const result = this.#pullBehind(before);
    this.#latest = result;
    return result;
  }

  async #pullBehind(before: Promise<unknown> | undefined): Promise<IteratorResult<T, undefined>> {
    try {
      // Whoever called for it hears of its failure.
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
