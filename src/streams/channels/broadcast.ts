import { type Polled, Stream } from "../stream.js";
import type { Waker } from "../waits/waiter.js";
import { BroadcastCore, type BroadcastOptions, Cursor, LAG } from "./broadcast-core.js";
import { type Recover, RecoveringReceiver } from "./recovering-receiver.js";

export interface SubscribeOptions {
  /** The position to begin at, default the next one. One that is not kept any more begins with a lag. */
  readonly from?: number;
}

export interface RecoverOptions<T> extends SubscribeOptions {
  /**
   * Gives what a receiver missed: the items from position `from` up to but not including `to`, in order. Called again if
   * the ring has moved on meanwhile. The signal aborts when the receiver leaves. What comes after `to` is cut off.
   */
  readonly recover: Recover<T>;
}

/**
 * What a receiver gets in the place of items that it came too late for.
 *
 * @example
 * const news = broadcast<string>({ capacity: 1 });
 * const receiver = news.subscribe();
 * for (const item of ["a", "b", "c"]) news.send(item);
 * const lag = await first(receiver);
 * console.log(lag instanceof Lagged && [lag.missed, lag.next]); // [ 2, 2 ]
 */
export class Lagged {
  /** How many items it missed. */
  readonly missed: number;
  /** The position of the item that comes next. */
  readonly next: number;

  constructor(missed: number, next: number) {
    this.missed = missed;
    this.next = next;
  }
}

/**
 * One sender, any number of receivers, each of which gets all items that are sent while it is subscribed. The newest
 * items are kept once, in one ring for all; a receiver is a cursor in it. So sending never waits, and a receiver that
 * never reads costs its cursor and nothing else: it holds neither items nor others back.
 *
 * **Lagging.** When an item that a receiver has not got leaves the ring, the receiver gets a `Lagged` in the place of
 * all that it missed, in order, and goes on with the oldest item that is there. With `recover` it gets the missing items
 * themselves, from wherever `recover` finds them. A recovery that gives fewer items than were missed fails the receiver
 * with `RecoveryShortError`; what it throws does so too.
 *
 * **Closing.** After `close` or `fail` every receiver gets what is in the ring, and then the end, or the error, once
 * each: also one that subscribes later.
 *
 * Sending is O(1) amortised plus O(1) for each receiver that waits; receivers that wait are woken together, once, when
 * the sending function is done. Receiving is O(1).
 *
 * @example
 * const news = broadcast<string>({ capacity: 2 });
 * const quick = collect(news.subscribe(), { limit: 10 });
 * await yieldToEventLoop();
 * const slow = news.subscribe();
 * const log = ["a", "b", "c", "d"];
 * for (const item of log) {
 *   news.send(item);
 *   await yieldToEventLoop();
 * }
 * const back = news.subscribe({ from: 1, recover: (from, to) => log.slice(from, to) });
 * news.close();
 * console.log(await quick); // [ 'a', 'b', 'c', 'd' ]
 * console.log(await collect(slow, { limit: 10 })); // [ Lagged { missed: 2, next: 2 }, 'c', 'd' ]
 * console.log(await collect(back, { limit: 10 })); // [ 'b', 'c', 'd' ]
 */
export function broadcast<T>(options: BroadcastOptions<T>): Broadcast<T> {
  return new Broadcast(options);
}

/** The sending side, and where receivers come from; see `broadcast`. */
export class Broadcast<T> {
  readonly #core: BroadcastCore<T>;

  constructor(options: BroadcastOptions<T>) {
    this.#core = new BroadcastCore(options);
  }

  /** How many items are kept. */
  get size(): number {
    return this.#core.ring.size;
  }

  /** The position of the oldest item that is kept; `next` when there is none. */
  get first(): number {
    return this.#core.ring.first;
  }

  /** The position that the next item gets. */
  get next(): number {
    return this.#core.ring.next;
  }

  /** How many are subscribed, and have neither left nor got the end. */
  get receivers(): number {
    return this.#core.receivers;
  }

  /** Sends to all, at once, and says how many they are. Throws `ChannelClosedError` after `close` and `fail`. */
  send(item: T): number {
    this.#core.send(item);
    return this.#core.receivers;
  }

  /** No more items. The receivers get those that are kept, and then the end. */
  close(): void {
    this.#core.end(undefined);
  }

  /** As `close`, with an error instead of the end. Only the first of `close` and `fail` counts. */
  fail(error: unknown): void {
    this.#core.end({ error });
  }

  /**
   * A new receiver. It counts from now on, also before it is asked for an item, and until it is closed: close those that
   * you do not read to the end. Throws a `RangeError` for a position that is above `next`, or no whole number.
   */
  subscribe(options: RecoverOptions<T>): Stream<T>;
  subscribe(options?: SubscribeOptions): Stream<T | Lagged>;
  subscribe(options: SubscribeOptions & Partial<RecoverOptions<T>> = {}): Stream<T | Lagged> {
    const { next } = this.#core.ring;
    const { from = next, recover } = options;
    if (!(Number.isSafeInteger(from) && from <= next)) {
      throw new RangeError(`Cannot subscribe from position ${from}: the next one is ${next}`);
    }
    const cursor = new Cursor(this.#core, from);
    return recover === undefined ? new LaggingReceiver(cursor) : new RecoveringReceiver(cursor, recover);
  }
}

/** A receiver that is told what it missed. */
class LaggingReceiver<T> extends Stream<T | Lagged> {
  readonly #cursor: Cursor<T>;

  constructor(cursor: Cursor<T>) {
    super();
    this.#cursor = cursor;
  }

  override poll(waker: Waker): Polled<T | Lagged> {
    const item = this.#cursor.poll(waker);
    if (item !== LAG) return item;
    const missed = this.#cursor.skip();
    return new Lagged(missed, this.#cursor.next);
  }

  override close(): undefined {
    this.#cursor.leave();
  }
}

export type { BroadcastOptions } from "./broadcast-core.js";
export type { Recover } from "./recovering-receiver.js";
