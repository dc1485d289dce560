import { ChannelClosedError, ChannelFullError } from "../errors.js";
import { pullIterator } from "../sources/pull-iterator.js";
import { Queue } from "./queue.js";
import { WaitQueue } from "../waits/wait-queue.js";

export interface ChannelOptions<T> {
  /** What the items in the channel may weigh together: their number, unless `weigh` says otherwise. */
  readonly capacity: number;
  /** An item's weight, above 0. Default 1. An item heavier than the capacity is taken when the channel is empty. */
  readonly weigh?: (item: T) => number;
  /** What `send` does when there is no room. Default "wait". */
  readonly overflow?: "wait" | "fail";
}

/** The sending side; any number of producers may share it. */
export interface Sender<T> {
  /** How many items are in the channel, and what they weigh. */
  readonly size: number;
  readonly weight: number;
  /** How many sends wait for room. */
  readonly waiting: number;
  /**
   * Puts an item in; waits for room, first come, first served, or rejects with `ChannelFullError` where overflow is
   * "fail". Resolves when the item is in the channel, not when it is received. Rejects with the signal's reason when it
   * aborts, and with `ChannelClosedError` after `close`, `fail`, or the receiver's leaving: then the item is not sent.
   * A send that waits holds its own item: bound the producers, and the memory is bounded.
   */
  send(item: T, signal?: AbortSignal): Promise<void>;
  /** Puts an item in if there is room and nobody waits for it. Throws `ChannelClosedError` as `send` does. */
  trySend(item: T): boolean;
  /** No more sends. The receiver gets what is in the channel and what waits for room, and then the end. */
  close(): void;
  /** As `close`, but with an error instead of the end. Only the first of `close` and `fail` counts. */
  fail(error: unknown): void;
}

/**
 * The receiving side, for one consumer. As an async iterable it is single use, and breaking off closes it. Items come
 * in the order in which they were sent; after the last one comes the error, once, or the end, for ever.
 */
export interface Receiver<T> extends AsyncIterable<T, undefined> {
  readonly size: number;
  readonly weight: number;
  /** The next item or the end. Rejects with the signal's reason when it aborts; no item is lost by that. */
  receive(signal?: AbortSignal): Promise<IteratorResult<T, undefined>>;
  /**
   * Waits until there is an item, and takes as many as weigh at most `maxWeight` together, but always the first.
   * An empty array is the end.
   */
  receiveMany(maxWeight: number, signal?: AbortSignal): Promise<T[]>;
  /** Takes what is there without waiting: the oldest items that weigh at most `maxWeight` together, perhaps none. */
  takeAvailable(maxWeight: number): T[];
  /** Leaves: drops what is in the channel and fails the sends that wait. */
  close(): void;
}

interface Entry<T> {
  readonly item: T;
  readonly weight: number;
}

/**
 * What the channel will still do.
 *
 *   open ──close, fail──▶ ending ──all received──▶ ended
 *    any ──receiver leaves──▶ ended
 */
type State =
  | { readonly phase: "open" }
  | { readonly phase: "ending"; readonly failure: { readonly error: unknown } | undefined }
  | { readonly phase: "ended"; readonly isReceiverGone: boolean };

/** A bounded queue from many producers to one consumer. All operations are O(1) amortised for each item. */
export function channel<T>(options: ChannelOptions<T>): { readonly sender: Sender<T>; readonly receiver: Receiver<T> } {
  const core = new ChannelCore<T>(options);
  return { sender: senderOf(core), receiver: receiverOf(core) };
}

function senderOf<T>(core: ChannelCore<T>): Sender<T> {
  return {
    get size() {
      return core.size;
    },
    get weight() {
      return core.weight;
    },
    get waiting() {
      return core.waiting;
    },
    send: (item, signal) => core.send(item, signal),
    trySend: (item) => core.trySend(item),
    close: () => core.end(undefined),
    fail: (error) => core.end({ error }),
  };
}

function receiverOf<T>(core: ChannelCore<T>): Receiver<T> {
  const iterator = pullIterator<T>({ pull: (signal) => core.receive(signal), close: () => core.leave() });
  return {
    get size() {
      return core.size;
    },
    get weight() {
      return core.weight;
    },
    receive: (signal) => core.receive(signal),
    receiveMany: (maxWeight, signal) => core.receiveMany(maxWeight, signal),
    takeAvailable: (maxWeight) => core.takeAvailable(maxWeight),
    close: () => core.leave(),
    [Symbol.asyncIterator]: () => iterator,
  };
}

class ChannelCore<T> {
  readonly #capacity: number;
  readonly #weigh: (item: T) => number;
  readonly #overflow: "wait" | "fail";
  readonly #buffer = new Queue<Entry<T>>();
  readonly #senders = new WaitQueue<Entry<T>, void>(() => this.#settle());
  readonly #receivers = new WaitQueue<undefined, void>();
  #weight = 0;
  #state: State = { phase: "open" };

  constructor(options: ChannelOptions<T>) {
    if (!(options.capacity > 0 && options.capacity < Infinity)) {
      throw new RangeError(`Cannot make a channel with capacity ${options.capacity}`);
    }
    this.#capacity = options.capacity;
    this.#weigh = options.weigh ?? (() => 1);
    this.#overflow = options.overflow ?? "wait";
  }

  get size(): number {
    return this.#buffer.length;
  }

  get weight(): number {
    return this.#weight;
  }

  get waiting(): number {
    return this.#senders.size;
  }

  async send(item: T, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    const entry = this.#entryOf(item);
    if (this.#accepts(entry)) this.#push(entry);
    else if (this.#overflow === "fail") throw new ChannelFullError(this.#capacity);
    else await this.#senders.wait(entry, signal);
  }

  trySend(item: T): boolean {
    const entry = this.#entryOf(item);
    if (!this.#accepts(entry)) return false;
    this.#push(entry);
    return true;
  }

  end(failure: { readonly error: unknown } | undefined): void {
    if (this.#state.phase !== "open") return;
    this.#state = { phase: "ending", failure };
    this.#receivers.admitAll();
  }

  leave(): void {
    if (this.#state.phase === "ended") return;
    this.#state = { phase: "ended", isReceiverGone: true };
    this.#buffer.clear();
    this.#weight = 0;
    this.#senders.rejectAll(new ChannelClosedError("the receiver is gone"));
    this.#receivers.admitAll();
  }

  async receive(signal: AbortSignal | undefined): Promise<IteratorResult<T, undefined>> {
    await this.#ready(signal);
    const entry = this.#buffer.shift();
    if (entry === undefined) return this.#finish();
    this.#weight -= entry.weight;
    this.#settle();
    return { done: false, value: entry.item };
  }

  async receiveMany(maxWeight: number, signal: AbortSignal | undefined): Promise<T[]> {
    await this.#ready(signal);
    const first = this.#buffer.at(0);
    if (first !== undefined) return this.takeAvailable(Math.max(maxWeight, first.weight));
    this.#finish();
    return [];
  }

  takeAvailable(maxWeight: number): T[] {
    const items: T[] = [];
    let taken = 0;
    for (let entry = this.#buffer.at(0); entry !== undefined; entry = this.#buffer.at(0)) {
      if (taken + entry.weight > maxWeight) break;
      taken += entry.weight;
      items.push(entry.item);
      this.#buffer.shift();
    }
    this.#weight -= taken;
    if (items.length > 0) this.#settle();
    return items;
  }

  /**
   * Waits until there is an item, or none will come. Whoever waits is only told to look again, so an item stays in the
   * channel until a receive that has not been aborted takes it.
   */
  async #ready(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    while (this.#buffer.length === 0 && this.#state.phase === "open") await this.#receivers.wait(undefined, signal);
  }

  /** The end or the error of an empty channel. */
  #finish(): IteratorReturnResult<undefined> {
    const state = this.#state;
    if (state.phase === "ending") {
      this.#state = { phase: "ended", isReceiverGone: false };
      if (state.failure !== undefined) throw state.failure.error;
    }
    return { done: true, value: undefined };
  }

  #entryOf(item: T): Entry<T> {
    const { phase } = this.#state;
    if (this.#state.phase === "ended" && this.#state.isReceiverGone)
      throw new ChannelClosedError("the receiver is gone");
    if (phase !== "open") throw new ChannelClosedError("the channel is closed");
    const weight = this.#weigh(item);
    if (!(weight > 0)) throw new RangeError(`Cannot send an item of weight ${weight}`);
    return { item, weight };
  }

  #accepts(entry: Entry<T>): boolean {
    return this.#senders.size === 0 && this.#fits(entry);
  }

  #fits(entry: Entry<T>): boolean {
    return this.#buffer.length === 0 || this.#weight + entry.weight <= this.#capacity;
  }

  #push(entry: Entry<T>): void {
    this.#buffer.push(entry);
    this.#weight += entry.weight;
    this.#receivers.admit();
  }

  /** Moves items of sends that wait into the room that there is. */
  #settle(): void {
    for (let entry = this.#senders.firstAsk; entry !== undefined && this.#fits(entry); entry = this.#senders.firstAsk) {
      this.#push(entry);
      this.#senders.admit();
    }
  }
}
