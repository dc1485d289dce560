import { inBothStyles } from "../both-styles.js";
import type { Operator } from "../pipe.js";
import type { Result } from "../result.js";
import { from, type Source } from "../sources/from.js";
import { Stage } from "../stage.js";
import { END, PENDING, type Polled, type Stream } from "../stream.js";
import type { Waker } from "../waits/waiter.js";

/**
 * Each item as a result. An error of the source becomes the last item, so the stream itself does not fail. For errors of
 * single items, see `tryMap`. Holds nothing. Closing it closes the source. O(1) an item.
 *
 * @example
 * const failing = map([1, 2], (n) => (n === 2 ? Promise.reject("worn out") : n));
 * await forEach(settle(failing), (result) => console.log(result));
 * // { ok: true, value: 1 }
 * // { ok: false, error: 'worn out' }
 */
export function settle<T>(): Operator<T, Result<T>>;
export function settle<T>(source: Source<T>): Stream<Result<T>>;
export function settle(...args: readonly unknown[]): unknown {
  return inBothStyles(settleItems, args);
}

function settleItems<T>(source: Source<T>): Stream<Result<T>> {
  return new Settled(from(source));
}

class Settled<T> extends Stage<Result<T>> {
  readonly #source: Stream<T>;

  constructor(source: Stream<T>) {
    super();
    this.#source = source;
  }

  protected override produce(waker: Waker): Polled<Result<T>> {
    try {
      const item = this.#source.poll(waker);
      if (item === END) return END;
      return item === PENDING ? PENDING : { ok: true, value: item };
    } catch (error) {
      // The last item: after an error, the source returns the end.
      return { ok: false, error };
    }
  }

  protected override dispose(): Promise<void> | undefined {
    return this.#source.close();
  }
}
