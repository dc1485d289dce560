import { inBothStyles } from "../both-styles.js";
import { checkCount } from "../check-count.js";
import type { Operator } from "../pipe.js";
import { from, type Source } from "../sources/from.js";
import type { Stream } from "../stream.js";
import { checkDelay } from "../waits/abort.js";
import { WakeTimer } from "../waits/wake-timer.js";
import type { Waker } from "../waits/waiter.js";
import { Grouping } from "./grouping.js";

/** A batch is full at the first of these bounds that it reaches. */
export type BatchOptions<T> = {
  /** The largest number of items in a batch. */
  readonly maxItems: number;
  /**
   * How long a batch waits for more items after its first one. 0: it takes only the items that are there. Default: no
   * limit.
   */
  readonly maxWaitMs?: number | undefined;
} & (
  | { readonly maxBytes?: undefined; readonly sizeOf?: undefined }
  | {
      /** The largest sum of `sizeOf`, such as bytes, in a batch. A single item may be larger. */
      readonly maxBytes: number;
      readonly sizeOf: (item: T) => number;
    }
);

/**
 * Arrays of items. A batch is complete when it has `maxItems` or `maxBytes`, or `maxWaitMs` after its first item was
 * pulled, whichever comes first. The last batch has the remaining items. An item that would take a batch above `maxBytes`
 * begins the next one; an item larger than that is a batch alone.
 *
 * Holds the batch that it fills. Nothing is pulled between two batches. If a pull is pending when the time is over, its
 * item begins the next batch. While the source has items at once, no timer is started, and none is left at the end. An
 * error comes after the batch of the items before it. Closing drops the held items. O(1) an item.
 *
 * @example
 * const words = ["a", "bb", "ccc", "dddddd", "e"];
 * const batches = batch(words, { maxItems: 100, maxBytes: 5, sizeOf: (word) => word.length, maxWaitMs: 50 });
 * await forEach(batches, (some) => console.log(some.join(" "))); // a bb ccc dddddd e
 */
export function batch<T>(options: BatchOptions<T>): Operator<T, T[]>;
export function batch<T>(source: Source<T>, options: BatchOptions<T>): Stream<T[]>;
export function batch(...args: readonly unknown[]): unknown {
  return inBothStyles(batchItems, args);
}

function batchItems<T>(source: Source<T>, options: BatchOptions<T>): Stream<T[]> {
  checkCount("batch by", options.maxItems, 1);
  if (options.maxBytes !== undefined) {
    if (!(options.maxBytes > 0)) throw new RangeError(`Cannot batch by ${options.maxBytes} bytes`);
    if (typeof options.sizeOf !== "function") throw new RangeError("Cannot batch by maxBytes without sizeOf");
  }
  if (options.maxWaitMs !== undefined) checkDelay(options.maxWaitMs);
  return new Batches(from(source), options);
}

export class Batches<T> extends Grouping<T, T[]> {
  readonly #maxItems: number;
  readonly #maxBytes: number;
  readonly #sizeOf: ((item: T) => number) | undefined;
  readonly #maxWaitMs: number | undefined;
  readonly #timer = new WakeTimer();
  #items: T[] = [];
  #bytes = 0;
  /** When the wait of the batch is over. */
  #dueAt = Infinity;

  constructor(source: Stream<T>, options: BatchOptions<T>) {
    super(source);
    this.#maxItems = options.maxItems;
    this.#maxBytes = options.maxBytes ?? Infinity;
    this.#sizeOf = options.maxBytes === undefined ? undefined : options.sizeOf;
    this.#maxWaitMs = options.maxWaitMs;
  }

  /** The first item of a batch may fill it alone. */
  protected override due(): T[] | undefined {
    return this.#items.length > 0 && this.#isFull() ? this.#give() : undefined;
  }

  protected override take(item: T): T[] | undefined {
    const size = this.#sizeOf === undefined ? 0 : checkSize(this.#sizeOf(item));
    const full = this.#bytes + size > this.#maxBytes && this.#items.length > 0 ? this.#give() : undefined;
    this.#items.push(item);
    this.#bytes += size;
    if (this.#maxWaitMs !== undefined && this.#items.length === 1) this.#dueAt = performance.now() + this.#maxWaitMs;
    return full ?? (this.#isFull() ? this.#give() : undefined);
  }

  protected override pause(waker: Waker | undefined): T[] | undefined {
    if (this.#items.length === 0 || this.#dueAt === Infinity) return undefined;
    if (waker !== undefined && this.#timer.isSet) {
      this.#timer.wakeInstead(waker);
      return undefined;
    }
    const leftMs = this.#dueAt - performance.now();
    if (leftMs <= 0) return this.#give();
    if (waker !== undefined) this.#timer.wakeIn(leftMs, waker);
    return undefined;
  }

  protected override rest(): T[] | undefined {
    return this.#items.length > 0 ? this.#give() : undefined;
  }

  protected override drop(): void {
    this.#items = [];
    this.#timer.close();
  }

  #isFull(): boolean {
    return this.#items.length >= this.#maxItems || this.#bytes >= this.#maxBytes;
  }

  #give(): T[] {
    const items = this.#items;
    this.#items = [];
    this.#bytes = 0;
    this.#dueAt = Infinity;
    if (this.#timer.isSet) this.#timer.clear();
    return items;
  }
}

function checkSize(size: number): number {
  if (!(size >= 0)) throw new RangeError(`Cannot batch an item of ${size} bytes`);
  return size;
}
