import { type Polled, Stream } from "../stream.js";
import type { Waker } from "../waits/waiter.js";
import { BroadcastCore, type BroadcastOptions, Cursor, LAG } from "./broadcast-core.js";
import { type Recover, RecoveringReceiver } from "./recovering-receiver.js";

export interface SubscribeOptions {
  /** The position to begin at. Default: the next one. A position that is no longer kept begins with a lag. */
  readonly from?: number;
}

export interface RecoverOptions<T> extends SubscribeOptions {
  /**
   * Returns the items that a receiver missed: from position `from` to below `to`, in order. Further items are cut off. It
   * is called again if the ring has moved on meanwhile. The signal aborts when the receiver leaves.
   */
  readonly recover: Recover<T>;
}

/**
 * What a receiver gets instead of the items that it missed.
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
  /** The position of the next item. */
  readonly next: number;

  constructor(missed: number, next: number) {
    this.missed = missed;
    this.next = next;
  }
}

/**
 * A channel with one sender and any number of receivers. Each receiver gets all items that are sent while it is subscribed.
 * One ring keeps the newest items for all receivers; a receiver is a cursor in it. So a send never waits. A receiver that
 * never reads costs only its cursor: it keeps no item in memory, and delays no other receiver.
 *
 * **Lagging.** When the ring drops an item that a receiver has not read, the receiver gets one `Lagged` in place of all the
 * items that it missed, and continues with the oldest kept item. With `recover` it gets the missed items themselves, from
 * the source that `recover` returns. A recovery of fewer items fails the receiver with `RecoveryShortError`; an error of
 * `recover` fails it too.
 *
 * **Closing.** After `close` or `fail` every receiver gets the items in the ring, and then the end, or the error once. This
 * includes receivers that subscribe later.
 *
 * A send is O(1) amortised, plus O(1) for each waiting receiver. All waiting receivers are woken together, once, when the
 * sending function has returned. Receiving is O(1).
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

/** The sending side, which also makes receivers; see `broadcast`. */
export class Broadcast<T> {
  readonly #core: BroadcastCore<T>;

  constructor(options: BroadcastOptions<T>) {
    this.#core = new BroadcastCore(options);
  }

  /** The number of kept items. */
  get size(): number {
    return this.#core.ring.size;
  }

  /** The position of the oldest kept item; `next` when there is none. */
  get first(): number {
    return this.#core.ring.first;
  }

  /** The position that the next item gets. */
  get next(): number {
    return this.#core.ring.next;
  }

  /** The number of receivers that have neither left nor reached the end. */
  get receivers(): number {
    return this.#core.receivers;
  }

  /** Sends to all receivers, and returns their number. Never waits. Throws `ChannelClosedError` after `close` and `fail`. */
  send(item: T): number {
    this.#core.send(item);
    return this.#core.receivers;
  }

  /** Ends the broadcast: the receivers get the kept items, and then the end. */
  close(): void {
    this.#core.end(undefined);
  }

  /** As `close`, with an error instead of the end. Only the first of `close` and `fail` counts. */
  fail(error: unknown): void {
    this.#core.end({ error });
  }

  /**
   * Makes a receiver. It is subscribed from now on until its end, even before its first pull. So close a receiver that you
   * do not read to the end. Throws a `RangeError` for a position that is above `next` or not a whole number.
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

/** A receiver that gets a `Lagged` for the items that it missed. */
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
