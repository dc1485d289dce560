import { ChannelClosedError } from "../errors.js";
import { END, PENDING, type Polled } from "../stream.js";
import { runSoon, type Waker } from "../waits/waiter.js";
import { Ring } from "./ring.js";

export interface BroadcastOptions<T> {
  /** The largest total weight of the kept items. Without `weigh`, their largest number. */
  readonly capacity: number;
  /** An item's weight, above 0. Default 1. An item heavier than the capacity is not kept: every receiver misses it. */
  readonly weigh?: (item: T) => number;
  /** The position of the first item, a whole number. Default 0. */
  readonly start?: number;
}

/** What a cursor finds instead of items that the ring no longer has. */
export const LAG: unique symbol = Symbol("lag");

/** The state that the sender and the receivers of a broadcast share: the ring, its end, and the waiting receivers. */
export class BroadcastCore<T> {
  readonly ring: Ring<T>;
  receivers = 0;
  ending: { readonly failure: { readonly error: unknown } | undefined } | undefined;
  readonly #weigh: ((item: T) => number) | undefined;
  /** Waiting cursors, and some that have left since. */
  #waiting: Cursor<T>[] = [];
  #leftWaiting = 0;
  #isWaking = false;

  constructor(options: BroadcastOptions<T>) {
    const { capacity, start = 0 } = options;
    if (!(capacity > 0 && capacity < Infinity)) {
      throw new RangeError(`Cannot make a broadcast with capacity ${capacity}`);
    }
    if (!Number.isSafeInteger(start)) throw new RangeError(`Cannot number items from ${start}: not a whole number`);
    this.ring = new Ring({ capacity, start });
    this.#weigh = options.weigh;
  }

  send(item: T): void {
    if (this.ending !== undefined) throw new ChannelClosedError("the broadcast is closed");
    this.ring.append(item, this.ring.next + 1, this.#weigh === undefined ? 1 : this.#weigh(item));
    this.#wakeWaiting();
  }

  end(failure: { readonly error: unknown } | undefined): void {
    if (this.ending !== undefined) return;
    this.ending = { failure };
    this.#wakeWaiting();
  }

  addWaiting(cursor: Cursor<T>): void {
    this.#waiting.push(cursor);
  }

  /** Removes the cursors that have left, once they are half of all, so that departed receivers hold no memory. */
  noteLeft(): void {
    this.#leftWaiting += 1;
    if (this.#leftWaiting * 2 <= this.#waiting.length) return;
    this.#waiting = this.#waiting.filter((cursor) => cursor.isWaiting);
    this.#leftWaiting = 0;
  }

  #wakeWaiting(): void {
    if (this.#isWaking || this.#waiting.length === 0) return;
    this.#isWaking = true;
    runSoon(this.#resumeWaiting);
  }

  /** One task wakes all waiting receivers, whatever was sent before it runs. */
  readonly #resumeWaiting = (): void => {
    this.#isWaking = false;
    const waiting = this.#waiting;
    // A new list, since cursors that find nothing wait again, and consumers may send.
    this.#waiting = [];
    this.#leftWaiting = 0;
    for (const cursor of waiting) cursor.resume();
  };
}

/** The position of one receiver. */
export class Cursor<T> {
  readonly #core: BroadcastCore<T>;
  /** The position of its next item. */
  #next: number;
  #isOver = false;
  #waker: Waker | undefined;
  isWaiting = false;

  constructor(core: BroadcastCore<T>, from: number) {
    this.#core = core;
    this.#next = from;
    core.receivers += 1;
  }

  get next(): number {
    return this.#next;
  }

  poll(waker: Waker): Polled<T> | typeof LAG {
    if (this.#isOver) return END;
    const { ring, ending } = this.#core;
    const entry = ring.find(this.#next);
    if (entry !== undefined) {
      this.#next += 1;
      return entry.item;
    }
    if (this.#next < ring.next) return LAG;
    if (ending !== undefined) {
      this.leave();
      if (ending.failure !== undefined) throw ending.failure.error;
      return END;
    }
    this.#waker = waker;
    if (!this.isWaiting) {
      this.isWaiting = true;
      this.#core.addWaiting(this);
    }
    return PENDING;
  }

  /** Moves to the oldest kept item. Returns how many items it skipped. */
  skip(): number {
    const before = this.#next;
    this.#next = this.#core.ring.first;
    return this.#next - before;
  }

  leave(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#core.receivers -= 1;
    if (this.isWaiting) {
      this.isWaiting = false;
      this.#core.noteLeft();
    }
    const waker = this.#waker;
    this.#waker = undefined;
    waker?.wake();
  }

  resume(): void {
    if (!this.isWaiting) return;
    this.isWaiting = false;
    const waker = this.#waker;
    this.#waker = undefined;
    waker?.resume();
  }
}
