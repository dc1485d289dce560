import { inBothStyles } from "../both-styles.js";
import type { Operator } from "../pipe.js";
import { from, type Source } from "../sources/from.js";
import { type Polled, Stream } from "../stream.js";
import type { Waker } from "../waits/waiter.js";

/**
 * The same items. If the source fails, the stream fails with the error that `f` returns or throws. An error of closing is
 * not mapped. Holds nothing. O(1) an item.
 *
 * @example
 * const failing = map([1], () => Promise.reject(new Error("no such file")));
 * const named = mapError(failing, (error) => new Error(`Cannot load: ${(error as Error).message}`));
 * await collect(named, { limit: 10 }).catch((error) => console.log(error.message)); // Cannot load: no such file
 */
export function mapError<T>(f: (error: unknown) => unknown): Operator<T, T>;
export function mapError<T>(source: Source<T>, f: (error: unknown) => unknown): Stream<T>;
export function mapError(...args: readonly unknown[]): unknown {
  return inBothStyles(mapErrorOf, args);
}

function mapErrorOf<T>(source: Source<T>, f: (error: unknown) => unknown): Stream<T> {
  return new ErrorMapped(from(source), f);
}

class ErrorMapped<T> extends Stream<T> {
  readonly #source: Stream<T>;
  readonly #f: (error: unknown) => unknown;

  constructor(source: Stream<T>, f: (error: unknown) => unknown) {
    super();
    this.#source = source;
    this.#f = f;
  }

  override poll(waker: Waker): Polled<T> {
    try {
      return this.#source.poll(waker);
    } catch (error) {
      throw this.#f(error);
    }
  }

  override close(): Promise<void> | undefined {
    return this.#source.close();
  }
}
