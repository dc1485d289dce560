import { ChannelClosedError } from "../errors.js";
import type { ChannelCore } from "./channel-core.js";
import type { Slot } from "./channel-options.js";

/**
 * A handle for sending. Producers may share one, or have one each by `clone`: the channel ends when the last is closed,
 * so close each when its producer is done, also when it failed.
 */
export class Sender<T> {
  readonly #core: ChannelCore<T>;
  #isClosed = false;

  /** The handle is one of the core's holders already. */
  constructor(core: ChannelCore<T>) {
    this.#core = core;
  }

  /** How many items are in the channel. */
  get size(): number {
    return this.#core.size;
  }

  /** What they weigh. */
  get weight(): number {
    return this.#core.weight;
  }

  /** How many sends and reservations wait for room. */
  get waiting(): number {
    return this.#core.waiting;
  }

  /** How many items were left out, by an overflow that drops. */
  get dropped(): number {
    return this.#core.dropped;
  }

  /**
   * Puts an item in. Without room it does what the channel's overflow says: it waits, first come, first served, rejects
   * with `ChannelFullError`, or leaves an item out. Resolves when the item is in the channel, not when it is received.
   * Rejects with the signal's reason when it aborts, and with `ChannelClosedError` after `close`, `fail`, or the
   * receiver's leaving: then the item is not sent. A send that waits holds its own item: bound the producers, and the
   * memory is bounded.
   */
  send(item: T, signal?: AbortSignal): Promise<void> {
    if (this.#isClosed) return rejectedClosed(this.#core);
    return this.#core.send(item, signal);
  }

  /**
   * Puts an item in if there is room and nobody waits for it, or if the overflow makes room: whether it did. An item
   * that "drop-newest" leaves out is counted. Throws `ChannelClosedError` as `send` does.
   */
  trySend(item: T): boolean {
    this.#checkOpen();
    return this.#core.trySend(item);
  }

  /**
   * Room for an item that comes later, so that whoever makes it knows beforehand that it will have room. Waits for room
   * in one line with the sends, whatever the overflow, but for "fail". What weighs more than the capacity gets the whole
   * channel for itself. A slot and a wait for one keep the channel open as a sender does: use it, or release it.
   */
  async reserve(weight = 1, signal?: AbortSignal): Promise<Slot<T>> {
    this.#checkOpen();
    return this.#core.reserve(weight, signal);
  }

  /** Another handle on the same channel. Throws `ChannelClosedError` as `send` does. */
  clone(): Sender<T> {
    this.#checkOpen();
    this.#core.hold();
    return new Sender(this.#core);
  }

  /**
   * No more sends by this handle. After the last handle the receiver gets what is in the channel, what waits for room,
   * what slots still bring, and then the end. Closing again does nothing.
   */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#core.letGo();
  }

  /**
   * No more sends by any handle, and none by a slot. The receiver gets what is in the channel and what waits for room,
   * and then the error, once. Does nothing if this handle was closed or the channel has ended.
   */
  fail(error: unknown): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#core.end({ error });
  }

  #checkOpen(): void {
    if (this.#isClosed) throwClosed(this.#core);
  }
}

/** The channel's own reason first: it may be over for all. */
function throwClosed(core: Pick<ChannelCore<unknown>, "checkOpen">): never {
  core.checkOpen();
  throw new ChannelClosedError("the sender is closed");
}

async function rejectedClosed(core: Pick<ChannelCore<unknown>, "checkOpen">): Promise<never> {
  return throwClosed(core);
}
