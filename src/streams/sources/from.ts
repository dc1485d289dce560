import { type Produced, Stage } from "../stage.js";
import { END, PENDING, type Polled, Stream } from "../stream.js";
import type { Waker } from "../waits/waiter.js";

/** An iterable that a stream can be made of. An item that is a promise is awaited. */
export type Source<T> = AsyncIterable<T> | Iterable<T | PromiseLike<T>>;

/** Distinguishes a source from the other arguments of an operator. */
export function isSource(value: unknown): value is Source<unknown> {
  if (typeof value === "string") return true;
  return typeof value === "object" && value !== null && (Symbol.asyncIterator in value || Symbol.iterator in value);
}

export function isPromiseLike<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

/**
 * A stream of any iterable, sync or async. For a stream, it returns that stream. It makes the iterator at the first pull,
 * and pulls one item at a time. When it is closed early, it calls the iterator's `return()`, once. It awaits this call
 * unless the iterator is inside a wait, since a generator does not react before that wait is over. O(1) an item.
 *
 * @example
 * const doubled = pipe(from([1, 2, 3]), map((n) => n * 2));
 * console.log(await collect(doubled, { limit: 10 })); // [ 2, 4, 6 ]
 */
export function from<T>(source: Source<T>): Stream<T> {
  if (source instanceof Stream) return source as Stream<T>;
  return Symbol.asyncIterator in Object(source)
    ? new AsyncIterated(source as AsyncIterable<T>)
    : new Iterated(source as Iterable<T | PromiseLike<T>>);
}

class Iterated<T> extends Stage<T> {
  readonly #source: Iterable<T | PromiseLike<T>>;
  #iterator: Iterator<T | PromiseLike<T>> | undefined;

  constructor(source: Iterable<T | PromiseLike<T>>) {
    super();
    this.#source = source;
  }

  protected override produce(): Produced<T> {
    this.#iterator ??= this.#source[Symbol.iterator]();
    const iterator = this.#iterator;
    // An iterator that throws or ends by itself must not get a `return()`.
    this.#iterator = undefined;
    const result = iterator.next();
    if (result.done === true) return END;
    this.#iterator = iterator;
    return isPromiseLike(result.value) ? Promise.resolve(result.value) : result.value;
  }

  protected override dispose(): undefined {
    this.#iterator?.return?.();
  }
}

class AsyncIterated<T> extends Stream<T> {
  #source: AsyncIterable<T> | undefined;
  #iterator: AsyncIterator<T> | undefined;
  /** The iterator, if it is a stream: it is then polled. */
  #stream: Stream<T> | undefined;
  #closing: Promise<void> | undefined;
  #isWaiting = false;
  /** A result of `next()` that no poll has returned yet. */
  #arrived: IteratorResult<T> | undefined;
  #failure: { readonly error: unknown } | undefined;
  #waker: Waker | undefined;

  constructor(source: AsyncIterable<T>) {
    super();
    this.#source = source;
  }

  override poll(waker: Waker): Polled<T> {
    if (this.#stream !== undefined) return this.#stream.poll(waker);
    const source = this.#source;
    if (source === undefined) return END;
    const arrived = this.#arrived;
    if (arrived !== undefined) {
      this.#arrived = undefined;
      if (arrived.done !== true) return arrived.value;
      this.#forget();
      return END;
    }
    if (this.#failure !== undefined) {
      this.#forget();
      throw this.#failure.error;
    }
    this.#waker = waker;
    if (this.#isWaiting) return PENDING;
    this.#iterator ??= this.#begin(source);
    if (this.#iterator instanceof Stream) {
      this.#stream = this.#iterator as Stream<T>;
      return this.#stream.poll(waker);
    }
    this.#ask(this.#iterator);
    return PENDING;
  }

  override close(): Promise<void> | undefined {
    if (this.#stream !== undefined) return this.#stream.close();
    const iterator = this.#iterator;
    const waker = this.#waker;
    this.#forget();
    if (iterator?.return !== undefined) {
      const returned = returnOf(iterator);
      // Inside a wait, it reacts when the wait is over. An error of its cleanup is then dropped.
      if (this.#isWaiting) returned.catch(() => undefined);
      else this.#closing = returned;
    }
    waker?.wake();
    return this.#closing;
  }

  #ask(iterator: AsyncIterator<T>): void {
    let next: Promise<IteratorResult<T>>;
    try {
      next = iterator.next();
    } catch (error) {
      this.#forget();
      throw error;
    }
    this.#isWaiting = true;
    // Some iterators return a result without a promise, which `for await` accepts.
    if (next instanceof Promise) next.then(this.#onArrived, this.#onFailed);
    else Promise.resolve(next as IteratorResult<T>).then(this.#onArrived, this.#onFailed);
  }

  #begin(source: AsyncIterable<T>): AsyncIterator<T> {
    try {
      return source[Symbol.asyncIterator]();
    } catch (error) {
      this.#forget();
      throw error;
    }
  }

  readonly #onArrived = (result: IteratorResult<T>): void => {
    this.#isWaiting = false;
    // Closed meanwhile: the end was returned, so this result is dropped.
    if (this.#source === undefined) return;
    this.#arrived = result;
    this.#waker?.resume();
  };

  readonly #onFailed = (error: unknown): void => {
    this.#isWaiting = false;
    if (this.#source === undefined) return;
    this.#failure = { error };
    this.#waker?.resume();
  };

  #forget(): void {
    this.#source = undefined;
    this.#iterator = undefined;
    this.#arrived = undefined;
    this.#waker = undefined;
  }
}

async function returnOf(iterator: AsyncIterator<unknown>): Promise<void> {
  await iterator.return?.();
}
