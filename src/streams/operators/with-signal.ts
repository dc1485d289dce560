import { inBothStyles } from "../both-styles.js";
import type { Operator } from "../pipe.js";
import { from, type Source } from "../sources/from.js";
import { Stage } from "../stage.js";
import type { Polled, Stream } from "../stream.js";
import type { Waker } from "../waits/waiter.js";

/**
 * The same items until `signal` aborts. Then the source is closed at once, even during a wait, and the stream fails with
 * the signal's reason. As with every failure, the error comes when the source has cleaned up; a foreign source that is
 * inside a wait receives `return()`, but is not waited for. One listener, from the first pull to the end of the stream.
 * Holds nothing. O(1) an item.
 *
 * @example
 * const stop = new AbortController();
 * const numbers = pipe(range(0), withSignal(stop.signal), tap((n) => n === 2 && stop.abort("enough")));
 * await forEach(numbers, (n) => console.log(n)).catch((reason) => console.log(reason)); // 0 1 2 enough
 */
export function withSignal<T>(signal: AbortSignal): Operator<T, T>;
export function withSignal<T>(source: Source<T>, signal: AbortSignal): Stream<T>;
export function withSignal(...args: readonly unknown[]): unknown {
  return inBothStyles(untilAbort, args);
}

function untilAbort<T>(source: Source<T>, signal: AbortSignal): Stream<T> {
  return new Abortable(from(source), signal);
}

class Abortable<T> extends Stage<T> {
  readonly #source: Stream<T>;
  readonly #signal: AbortSignal;
  #isListening = false;
  #isAborted = false;

  constructor(source: Stream<T>, signal: AbortSignal) {
    super();
    this.#source = source;
    this.#signal = signal;
  }

  protected override produce(waker: Waker): Polled<T> {
    if (!this.#isListening) this.#listen();
    if (this.#isAborted) throw this.#signal.reason;
    return this.#source.poll(waker);
  }

  protected override dispose(): Promise<void> | undefined {
    this.#signal.removeEventListener("abort", this.#onAbort);
    return this.#source.close();
  }

  #listen(): void {
    this.#isListening = true;
    this.#isAborted = this.#signal.aborted;
    if (!this.#isAborted) this.#signal.addEventListener("abort", this.#onAbort);
  }

  /** Closing the source wakes a waiting consumer. The signal's reason is the first failure, so a cleanup error is dropped. */
  readonly #onAbort = (): void => {
    this.#isAborted = true;
    this.#source.close()?.catch(() => undefined);
  };
}
