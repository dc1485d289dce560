import { inBothStyles } from "../both-styles.js";
import { TimeoutError } from "../errors.js";
import type { Operator } from "../pipe.js";
import { from, type Source } from "../sources/from.js";
import { type Produced, Stage } from "../stage.js";
import { PENDING, type Stream } from "../stream.js";
import { checkDelay } from "../waits/abort.js";
import type { Waker } from "../waits/waiter.js";

/**
 * All items, in order. If the source has not ended `ms` after the first item was asked for, the stream fails with
 * `TimeoutError`. The source is closed at that moment, even if no item is asked for. Holds nothing. One timer, which is
 * cleared at the end. O(1) an item.
 *
 * @example
 * const endless = totalTimeout(interval(5), 30);
 * const outcome = await forEach(endless, () => undefined).catch((error: unknown) => error);
 * console.log(outcome instanceof TimeoutError && outcome.ms); // 30
 */
export function totalTimeout<T>(ms: number): Operator<T, T>;
export function totalTimeout<T>(source: Source<T>, ms: number): Stream<T>;
export function totalTimeout(...args: readonly unknown[]): unknown {
  return inBothStyles(limitDuration, args);
}

function limitDuration<T>(source: Source<T>, ms: number): Stream<T> {
  checkDelay(ms);
  return new TotalTimeout(from(source), ms);
}

class TotalTimeout<T> extends Stage<T> {
  readonly #source: Stream<T>;
  readonly #ms: number;
  #timer: NodeJS.Timeout | undefined;
  #isTimedOut = false;
  #waker: Waker | undefined;

  constructor(source: Stream<T>, ms: number) {
    super();
    this.#source = source;
    this.#ms = ms;
  }

  protected override produce(waker: Waker): Produced<T> {
    if (this.#isTimedOut) throw new TimeoutError("the end of the stream", this.#ms);
    this.#timer ??= setTimeout(this.#onTime, this.#ms);
    const item = this.#source.poll(waker);
    this.#waker = item === PENDING ? waker : undefined;
    return item;
  }

  protected override dispose(): Promise<void> | undefined {
    clearTimeout(this.#timer);
    this.#waker = undefined;
    return this.#source.close();
  }

  readonly #onTime = (): void => {
    this.#isTimedOut = true;
    try {
      // The timeout is the first failure, so an error of closing is dropped.
      this.#source.close()?.catch(() => undefined);
    } finally {
      this.#waker?.resume();
    }
  };
}
