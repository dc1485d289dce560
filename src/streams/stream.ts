import { isTurnOver, yieldToEventLoop } from "./waits/turn.js";

/** What `pull` gives after the last item: a value that no item can be. */
export const END: unique symbol = Symbol("end");
export type End = typeof END;

/**
 * What a pull gives: an item or the end, now or later. An item is never a promise, so a promise always means later.
 * Items that are there already pass through any number of stages without a promise: that is what makes a pipeline fast.
 */
export type Pulled<T> = T | End | Promise<T | End>;

/**
 * A stream of items: what every source and operator of this room gives, and an async iterator for everybody else. It
 * is single use. `next` and `return` are for loops; `pull` and `close` are the same two things without their cost, for
 * operators and sinks.
 *
 * Whoever pulls keeps to this: one pull at a time; after the end or an error, always the end; `close` may come at any
 * time and more than once, and a pull that is parked then settles with the end at once.
 */
export abstract class Stream<T> implements AsyncIterableIterator<T, undefined, undefined> {
  #pending = 0;
  #latest: Promise<unknown> | undefined;

  /** The next item or the end, now or as a promise; throws or rejects when the stream fails, and has ended then. */
  abstract pull(): Pulled<T>;

  /**
   * Ends the stream early, and whatever it stands on, once. The promise settles when all `finally` blocks upstream have
   * run, and rejects with what they threw; a foreign source that is parked in a wait is told, and not waited for.
   */
  abstract close(): Promise<void> | undefined;

  /** The next item. Calls that overlap are served in order. Gives the event loop its turn when that is due. */
  next(): Promise<IteratorResult<T, undefined>> {
    const latest = this.#latest;
    if (latest !== undefined) return this.#track(latest.then(this.#step, this.#step));
    if (isTurnOver()) return this.#track(yieldToEventLoop().then(this.#step));
    try {
      const pulled = this.pull();
      return pulled instanceof Promise ? this.#track(pulled) : Promise.resolve(resultOf(pulled));
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  /** Ends the stream early, as `break` in a loop does; see `close`. */
  async return(): Promise<IteratorReturnResult<undefined>> {
    await this.close();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  readonly #step = (): Pulled<T> => this.pull();

  /** Remembers a result while it is pending, and no longer: its item may be large. */
  #track(pulled: Promise<T | End>): Promise<IteratorResult<T, undefined>> {
    this.#pending += 1;
    const result = pulled.then(this.#arrived, this.#failed);
    this.#latest = result;
    return result;
  }

  readonly #arrived = (item: T | End): IteratorResult<T, undefined> => {
    this.#left();
    return resultOf(item);
  };

  readonly #failed = (error: unknown): never => {
    this.#left();
    throw error;
  };

  #left(): void {
    this.#pending -= 1;
    if (this.#pending === 0) this.#latest = undefined;
  }
}

function resultOf<T>(item: T | End): IteratorResult<T, undefined> {
  return item === END ? { done: true, value: undefined } : { done: false, value: item };
}
