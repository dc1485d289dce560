import { END, type End, type Pulled, Stream } from "../stream.js";

/** What a stream can be made of. An item that is a promise is awaited. */
export type Source<T> = AsyncIterable<T> | Iterable<T | PromiseLike<T>>;

/** Tells a source from an operator's other arguments. */
export function isSource(value: unknown): value is Source<unknown> {
  if (typeof value === "string") return true;
  return typeof value === "object" && value !== null && (Symbol.asyncIterator in value || Symbol.iterator in value);
}

export function isPromiseLike<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

/**
 * A stream of any iterable, sync or async; of a stream, itself. Takes the iterator at the first pull, and pulls one
 * item at a time. When it is closed early the iterator's `return()` is called, once: and awaited, unless the iterator
 * is parked in a wait, since a generator looks at nothing before that wait is over. O(1) an item.
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

class Iterated<T> extends Stream<T> {
  #source: Iterable<T | PromiseLike<T>> | undefined;
  #iterator: Iterator<T | PromiseLike<T>> | undefined;
  #unpark: ((end: End) => void) | undefined;

  constructor(source: Iterable<T | PromiseLike<T>>) {
    super();
    this.#source = source;
  }

  override pull(): Pulled<T> {
    if (this.#source === undefined) return END;
    try {
      this.#iterator ??= this.#source[Symbol.iterator]();
      const result = this.#iterator.next();
      if (result.done === true) {
        this.#forget();
        return END;
      }
      return isPromiseLike(result.value) ? this.#park(result.value) : result.value;
    } catch (error) {
      this.#forget();
      throw error;
    }
  }

  override close(): undefined {
    const iterator = this.#iterator;
    this.#forget();
    this.#unpark?.(END);
    this.#unpark = undefined;
    iterator?.return?.();
  }

  #park(item: PromiseLike<T>): Promise<T | End> {
    return new Promise((resolve, reject) => {
      this.#unpark = resolve;
      item.then(
        (value) => {
          this.#unpark = undefined;
          resolve(value);
        },
        (error: unknown) => {
          this.#unpark = undefined;
          this.close();
          reject(error);
        },
      );
    });
  }

  #forget(): void {
    this.#source = undefined;
    this.#iterator = undefined;
  }
}

class AsyncIterated<T> extends Stream<T> {
  #source: AsyncIterable<T> | undefined;
  #iterator: AsyncIterator<T> | undefined;
  #unpark: ((end: End) => void) | undefined;
  #closing: Promise<void> | undefined;

  constructor(source: AsyncIterable<T>) {
    super();
    this.#source = source;
  }

  override pull(): Pulled<T> {
    if (this.#source === undefined) return END;
    try {
      this.#iterator ??= this.#source[Symbol.asyncIterator]();
      return this.#park(this.#iterator.next());
    } catch (error) {
      this.#forget();
      throw error;
    }
  }

  override close(): Promise<void> | undefined {
    const iterator = this.#iterator;
    const unpark = this.#unpark;
    this.#forget();
    if (iterator?.return === undefined) {
      unpark?.(END);
    } else if (unpark === undefined) {
      this.#closing = iterator.return().then(() => undefined);
    } else {
      unpark(END);
      // Parked: it looks when its wait is over, and what its cleanup throws then has nobody left to hear it.
      iterator.return().then(undefined, () => undefined);
    }
    return this.#closing;
  }

  #park(next: Promise<IteratorResult<T>>): Promise<T | End> {
    return new Promise((resolve, reject) => {
      this.#unpark = resolve;
      next.then(
        (result) => {
          // Closed meanwhile: the end was given, and what came now is nobody's.
          if (this.#unpark !== resolve) return;
          this.#unpark = undefined;
          if (result.done === true) this.#forget();
          resolve(result.done === true ? END : result.value);
        },
        (error: unknown) => {
          if (this.#unpark !== resolve) return;
          this.#forget();
          reject(error);
        },
      );
    });
  }

  #forget(): void {
    this.#source = undefined;
    this.#iterator = undefined;
    this.#unpark = undefined;
  }
}
