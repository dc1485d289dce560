import { inBothStyles } from "../both-styles.js";
import { type CallContext, LazyCallContext } from "../call-context.js";
import { checkCount } from "../check-count.js";
import { from, isPromiseLike, type Source } from "../sources/from.js";
import { END, type Stream } from "../stream.js";
import { isTurnOver, yieldToEventLoop } from "../waits/turn.js";

type Visit<T> = (item: T, context: CallContext) => unknown;

/**
 * Calls `f` with each item, up to `n` calls at once, begun in order. An item is pulled only when a call may begin, so
 * nothing is held. Resolves after the last call. On the first failure of a call or the source, or an abort of the signal,
 * the source is closed and `context.signal` aborts, both at once. When the running calls have settled, it rejects with that
 * failure or the signal's reason; so no call outlives it. O(1) an item.
 *
 * @example
 * let sum = 0;
 * await forEachConcurrent(range(1, 5), 2, async (n) => {
 *   await sleep(5 - n);
 *   sum += n;
 * });
 * console.log(sum); // 10
 */
export function forEachConcurrent<T>(
  n: number,
  f: (item: T, context: CallContext) => unknown,
  signal?: AbortSignal,
): (source: Source<T>) => Promise<void>;
export function forEachConcurrent<T>(
  source: Source<T>,
  n: number,
  f: (item: T, context: CallContext) => unknown,
  signal?: AbortSignal,
): Promise<void>;
export function forEachConcurrent(...args: readonly unknown[]): unknown {
  return inBothStyles(visitConcurrently, args);
}

async function visitConcurrently<T>(source: Source<T>, n: number, f: Visit<T>, signal?: AbortSignal): Promise<void> {
  checkCount("call at once", n, 1);
  await new ConcurrentVisits(from(source), n, f).run(signal);
}

class ConcurrentVisits<T> {
  readonly #source: Stream<T>;
  readonly #n: number;
  readonly #visit: Visit<T>;
  readonly #context = new LazyCallContext();
  #running = 0;
  #failure: { readonly error: unknown } | undefined;
  /** Wakes the loop when it waits for a call to settle. */
  #wake: (() => void) | undefined;

  constructor(source: Stream<T>, n: number, visit: Visit<T>) {
    this.#source = source;
    this.#n = n;
    this.#visit = visit;
  }

  async run(signal: AbortSignal | undefined): Promise<void> {
    const onAbort = () => this.#fail(signal?.reason);
    if (signal?.aborted) onAbort();
    else signal?.addEventListener("abort", onAbort);
    try {
      await this.#pump();
    } catch (error) {
      this.#fail(error);
    }
    while (this.#running > 0) await this.#oneSettled();
    signal?.removeEventListener("abort", onAbort);
    try {
      await this.#source.close();
    } catch (error) {
      this.#failure ??= { error };
    }
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async #pump(): Promise<void> {
    while (this.#failure === undefined) {
      if (isTurnOver()) await yieldToEventLoop();
      while (this.#running === this.#n) await this.#oneSettled();
      // If the source was closed meanwhile, this returns the end.
      const pulled = this.#source.pull();
      const item = pulled instanceof Promise ? await pulled : pulled;
      if (item === END || this.#failure !== undefined) return;
      this.#begin(item);
    }
  }

  #begin(item: T): void {
    const answer = this.#visit(item, this.#context);
    if (!isPromiseLike(answer)) return;
    this.#running += 1;
    answer.then(this.#onDone, this.#onFailed);
  }

  readonly #onDone = (): void => {
    this.#running -= 1;
    this.#wake?.();
  };

  readonly #onFailed = (error: unknown): void => {
    this.#running -= 1;
    this.#fail(error);
    this.#wake?.();
  };

  /** Only the first failure counts. Closing the source ends a pending pull. */
  #fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = { error };
    this.#context.abort();
    try {
      this.#source.close()?.catch(() => undefined);
    } catch {
      // A sync iterator's return() threw: only the first failure counts.
    }
  }

  #oneSettled(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
