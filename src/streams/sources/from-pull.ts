import { Stage } from "../stage.js";
import { END, type End, type Stream } from "../stream.js";

/** The functions of a `fromPull` stream. */
export interface PullSource<T> {
  /** The next item or the end. The signal aborts when the consumer leaves; the call must then end its waits. */
  pull(signal: AbortSignal): Promise<IteratorResult<T, undefined>>;
  /** Runs once: at the end, after an error, or when the consumer leaves. */
  close?(): void;
}

/**
 * A stream of the results of a function, one item a call. Unlike an async generator's, its `return()` reaches a wait inside
 * `pull`: the signal aborts, and the consumer gets the end at once, without waiting for that call. Overlapping calls of
 * `next()` are served in order, so `pull` is never called before its last promise has settled. An error of `pull` ends the
 * stream. Nothing is pulled before it is asked for; holds up to one item. O(1) an item.
 *
 * @example
 * let count = 0;
 * const ticks = fromPull<number>({
 *   async pull(signal) {
 *     await sleep(1, signal);
 *     return count < 3 ? { done: false, value: count++ } : { done: true, value: undefined };
 *   },
 * });
 * console.log(await collect(ticks, { limit: 10 })); // [ 0, 1, 2 ]
 */
export function fromPull<T>(source: PullSource<T>): Stream<T> {
  return new PulledStream(source);
}

class PulledStream<T> extends Stage<T> {
  readonly #source: PullSource<T>;
  #left: AbortController | undefined;

  constructor(source: PullSource<T>) {
    super();
    this.#source = source;
  }

  protected override produce(): Promise<T | End> {
    this.#left ??= new AbortController();
    return this.#source.pull(this.#left.signal).then(itemOf);
  }

  protected override dispose(): undefined {
    this.#source.close?.();
  }

  /** Closes first: an error that the abort causes is then dropped. */
  override close(): Promise<void> | undefined {
    const closing = super.close();
    this.#left?.abort(new Error("The consumer left"));
    return closing;
  }
}

function itemOf<T>(result: IteratorResult<T, undefined>): T | End {
  return result.done === true ? END : result.value;
}
