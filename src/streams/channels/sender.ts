import { ChannelClosedError } from "../errors.js";
import type { ChannelCore } from "./channel-core.js";
import type { Slot } from "./channel-options.js";

/**
 * A handle for sending. Producers may share one, or each may have its own by `clone`. The channel ends when the last handle
 * is closed, so close each handle when its producer is done, even if it failed.
 */
export class Sender<T> {
  readonly #core: ChannelCore<T>;
  #isClosed = false;

  /** The core counts this handle as a holder already. */
  constructor(core: ChannelCore<T>) {
    this.#core = core;
  }

  /** The number of items in the channel. */
  get size(): number {
    return this.#core.size;
  }

  /** Their total weight. */
  get weight(): number {
    return this.#core.weight;
  }

  /** How many sends and reservations wait for room. */
  get waiting(): number {
    return this.#core.waiting;
  }

  /** How many items the overflow has dropped. */
  get dropped(): number {
    return this.#core.dropped;
  }

  /**
   * Adds an item. Without room it follows the channel's overflow: it waits, first come, first served, rejects with
   * `ChannelFullError`, or drops an item. Resolves when the item is in the channel, not when it is received.
   *
   * Rejects with the signal's reason when it aborts, and with `ChannelClosedError` after `close` or `fail`, or when the
   * receiver has left; the item is then not sent. A waiting send holds its own item, so the memory is bounded only if the
   * number of producers is.
   */
  send(item: T, signal?: AbortSignal): Promise<void> {
    if (this.#isClosed) return rejectedClosed(this.#core);
    return this.#core.send(item, signal);
  }

  /**
   * Adds an item if there is room and nobody waits for it, or if the overflow makes room. Returns whether it was added. An
   * item that "drop-newest" drops is counted. Throws `ChannelClosedError` as `send` does.
   */
  trySend(item: T): boolean {
    this.#checkOpen();
    return this.#core.trySend(item);
  }

  /**
   * Reserves room for an item that comes later, so that its producer knows beforehand that there is room. Waits in one line
   * with the sends, whatever the overflow; with "fail", it rejects with `ChannelFullError`. A weight above the capacity
   * gets the whole channel. A slot and a wait for one keep the channel open, as a sender does: use the slot, or release it.
   */
  async reserve(weight = 1, signal?: AbortSignal): Promise<Slot<T>> {
    this.#checkOpen();
    return this.#core.reserve(weight, signal);
  }

  /** Another handle on the same channel. Throws `ChannelClosedError` as `send` does. */
  clone(): Sender<T> {
    this.#checkOpen();
    this.#core.addHolder();
    return new Sender(this.#core);
  }

  /**
   * Ends this handle. After the last one, the receiver gets the items in the channel, those that wait for room and those of
   * open slots, and then the end. A second `close` does nothing.
   */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#core.removeHolder();
  }

  /**
   * Ends all handles and slots. The receiver gets the items in the channel and those that wait for room, and then the
   * error, once. Does nothing if this handle was closed or the channel has ended.
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

/** Throws the channel's own reason first, which holds for all handles. */
function throwClosed(core: Pick<ChannelCore<unknown>, "checkOpen">): never {
  core.checkOpen();
  throw new ChannelClosedError("the sender is closed");
}

async function rejectedClosed(core: Pick<ChannelCore<unknown>, "checkOpen">): Promise<never> {
  return throwClosed(core);
}
