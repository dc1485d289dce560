import { inBothStyles } from "../both-styles.js";
import { Queue } from "../channels/queue.js";
import { checkCount } from "../check-count.js";
import type { Operator } from "../pipe.js";
import { from, type Source } from "../sources/from.js";
import { Stage } from "../stage.js";
import { END, PENDING, type Polled, type Stream } from "../stream.js";
import { isTurnOver } from "../waits/turn.js";
import { runSoon, type Waker } from "../waits/waiter.js";

/**
 * All items, in order. From the first pull on, up to `n` items are pulled ahead, so the source works while the consumer
 * works. An error comes after the items before it. Closing drops the items that were pulled ahead. O(1) an item.
 *
 * @example
 * console.log(await collect(prefetch(range(0, 3), 16), { limit: 10 })); // [ 0, 1, 2 ]
 */
export function prefetch<T>(n: number): Operator<T, T>;
export function prefetch<T>(source: Source<T>, n: number): Stream<T>;
export function prefetch(...args: readonly unknown[]): unknown {
  return inBothStyles(pullAhead, args);
}

function pullAhead<T>(source: Source<T>, n: number): Stream<T> {
  checkCount("prefetch", n, 1);
  return new Prefetched(from(source), n);
}

/** Fills a buffer whenever its source has items. A subclass may change the bound between items. */
export class Prefetched<T> extends Stage<T> implements Waker {
  readonly #source: Stream<T>;
  readonly #buffer = new Queue<T>();
  #isDrained = false;
  #failure: { readonly error: unknown } | undefined;
  #isFilling = false;
  #isScheduled = false;
  /** The waker of a poll that found the buffer empty. */
  #waker: Waker | undefined;
  /** How many items may be in the buffer. */
  protected bound: number;

  constructor(source: Stream<T>, bound: number) {
    super();
    this.#source = source;
    this.bound = bound;
  }

  /** The number of items in the buffer. */
  get size(): number {
    return this.#buffer.length;
  }

  wake(): void {
    if (this.#isScheduled || this.isOver) return;
    this.#isScheduled = true;
    runSoon(this.#onScheduled);
  }

  resume(): void {
    this.#fill();
    if (this.#buffer.length === 0 && !this.#isDrained) return;
    const waker = this.#waker;
    this.#waker = undefined;
    waker?.resume();
  }

  protected override produce(waker: Waker): Polled<T> {
    if (this.#buffer.length === 0) this.#fill();
    if (this.#buffer.length === 0) {
      if (this.#failure !== undefined) throw this.#failure.error;
      if (this.#isDrained) return END;
      this.#waker = waker;
      return PENDING;
    }
    const item = this.#buffer.shift() as T;
    this.#fill();
    return item;
  }

  protected override dispose(): Promise<void> | undefined {
    this.#isDrained = true;
    this.#buffer.clear();
    return this.#source.close();
  }

  readonly #onScheduled = (): void => {
    this.#isScheduled = false;
    if (!this.isOver) this.resume();
  };

  #fillLater(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(this.#onScheduled);
  }

  #fill(): void {
    if (this.#isFilling) return;
    this.#isFilling = true;
    try {
      while (!this.#isDrained && this.#buffer.length < this.bound) {
        const item = this.#source.poll(this);
        if (item === PENDING) break;
        if (item === END) {
          this.#isDrained = true;
          break;
        }
        this.#buffer.push(item);
        // A large buffer over a source that is always ready must not block the event loop.
        if (this.#buffer.length < this.bound && isTurnOver()) {
          this.#fillLater();
          break;
        }
      }
    } catch (error) {
      this.#isDrained = true;
      this.#failure = { error };
    }
    this.#isFilling = false;
  }
}
