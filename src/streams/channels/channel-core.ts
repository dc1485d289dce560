import { ChannelClosedError, ChannelFullError } from "../errors.js";
import { END, type End, PENDING, type Polled } from "../stream.js";
import { isTurnOver, yieldToEventLoop } from "../waits/turn.js";
import { WaitQueue } from "../waits/wait-queue.js";
import type { Waker } from "../waits/waiter.js";
import type { ChannelOptions, Overflow, Slot } from "./channel-options.js";
import { Queue } from "./queue.js";

/** What waits in line for room: a send with its item, or a reservation. */
type Ask<T> =
  | { readonly kind: "send"; readonly item: T; readonly weight: number }
  | { readonly kind: "reserve"; readonly weight: number };

/**
 * The phases of a channel.
 *
 *   open ──last holder released, fail──▶ ending ──all received──▶ ended
 *    any ──receiver leaves──▶ ended
 */
type State =
  | { readonly phase: "open" }
  | { readonly phase: "ending"; readonly failure: { readonly error: unknown } | undefined }
  | { readonly phase: "ended"; readonly isReceiverGone: boolean };

/** The result of every send that had room: a promise for each item would cost more than the item. */
const sent = Promise.resolve();

/** The slots that an empty channel keeps in its queue. With fewer, every burst would allocate them anew. */
const keptSlotsMax = 1024;

/** The state that both sides of a channel share: items, waits for room, waits for items, and who may still send. */
export class ChannelCore<T> {
  readonly #capacity: number;
  readonly #weigh: ((item: T) => number) | undefined;
  readonly #overflow: Overflow;
  readonly #items: Queue<T>;
  /** The weights of the items, unless all are 1. */
  readonly #weights: Queue<number> | undefined;
  readonly #line = new WaitQueue<Ask<T>, Slot<T> | undefined>(() => this.#settle());
  /** Calls of `receive` and `receiveMany` that wait. */
  readonly #receivers = new WaitQueue<undefined, void>();
  /** The waker of the last poll that found nothing. */
  #waker: Waker | undefined;
  #weight = 0;
  #reserved = 0;
  #slots = 0;
  #dropped = 0;
  /** The number of open senders, slots, and waiting reservations. While there is one, items may come. */
  #holders = 1;
  #state: State = { phase: "open" };

  constructor(options: ChannelOptions<T>) {
    const { capacity } = options;
    if (!(capacity > 0 && capacity < Infinity)) throw new RangeError(`Cannot make a channel with capacity ${capacity}`);
    this.#capacity = capacity;
    this.#weigh = options.weigh;
    this.#overflow = options.overflow ?? "wait";
    const kept = Math.min(keptSlotsMax, capacity);
    this.#items = new Queue<T>(kept);
    this.#weights = options.weigh === undefined ? undefined : new Queue<number>(kept);
  }

  get size(): number {
    return this.#items.length;
  }

  get weight(): number {
    return this.#weight;
  }

  get waiting(): number {
    return this.#line.size;
  }

  get dropped(): number {
    return this.#dropped;
  }

  /** Throws if no send can succeed any more. */
  checkOpen(): void {
    const state = this.#state;
    if (state.phase === "open") return;
    const isReceiverGone = state.phase === "ended" && state.isReceiverGone;
    throw new ChannelClosedError(isReceiverGone ? "the receiver is gone" : "the channel is closed");
  }

  send(item: T, signal: AbortSignal | undefined): Promise<void> {
    try {
      signal?.throwIfAborted();
      this.checkOpen();
      const weight = this.#weightOf(item);
      if (this.#accepts(weight)) {
        this.#push(item, weight);
        return sent;
      }
      if (this.#overflow === "wait") return this.#line.wait({ kind: "send", item, weight }, signal) as Promise<void>;
      if (this.#overflow === "fail") throw new ChannelFullError(this.#capacity);
      this.#displace(item, weight);
      // Such a send never waits, and a loop of them must not block the event loop.
      return isTurnOver() ? yieldToEventLoop() : sent;
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  trySend(item: T): boolean {
    this.checkOpen();
    const weight = this.#weightOf(item);
    if (this.#accepts(weight)) {
      this.#push(item, weight);
      return true;
    }
    return this.#overflow.startsWith("drop") && this.#displace(item, weight);
  }

  async reserve(weight: number, signal: AbortSignal | undefined): Promise<Slot<T>> {
    signal?.throwIfAborted();
    this.checkOpen();
    checkWeight(weight);
    if (this.#accepts(weight)) {
      this.addHolder();
      return this.#grant(weight);
    }
    if (this.#overflow === "fail") throw new ChannelFullError(this.#capacity);
    this.addHolder();
    try {
      const slot = await this.#line.wait({ kind: "reserve", weight }, signal);
      if (slot === undefined) throw new ChannelClosedError("the channel is closed");
      return slot;
    } catch (error) {
      this.removeHolder();
      throw error;
    }
  }

  addHolder(): void {
    this.#holders += 1;
  }

  /** Without holders, the channel ends after the items that it has or that wait for room. */
  removeHolder(): void {
    this.#holders -= 1;
    if (this.#holders === 0) this.end(undefined);
  }

  end(failure: { readonly error: unknown } | undefined): void {
    if (this.#state.phase !== "open") return;
    this.#state = { phase: "ending", failure };
    this.#voidSlots();
    this.#settle();
    this.#wakeAll();
  }

  leave(): void {
    if (this.#state.phase === "ended") return;
    this.#state = { phase: "ended", isReceiverGone: true };
    this.#items.clear();
    this.#weights?.clear();
    this.#weight = 0;
    this.#voidSlots();
    this.#line.rejectAll(new ChannelClosedError("the receiver is gone"));
    this.#wakeAll();
  }

  poll(waker: Waker): Polled<T> {
    if (this.#items.length > 0) return this.take();
    if (this.#state.phase !== "open") return this.finish();
    this.#waker = waker;
    return PENDING;
  }

  /** The oldest item of a channel that has one. */
  take(): T {
    const item = this.#shift();
    if (this.#line.size > 0) this.#settle();
    return item;
  }

  takeAvailable(maxWeight: number): T[] {
    const items: T[] = [];
    for (let left = maxWeight; this.#items.length > 0; ) {
      const weight = this.firstWeight;
      if (weight > left) break;
      left -= weight;
      items.push(this.#shift());
    }
    if (items.length > 0) this.#settle();
    return items;
  }

  /** The weight of the oldest item. */
  get firstWeight(): number {
    return this.#weights?.at(0) ?? 1;
  }

  /**
   * Waits until there is an item, or none will come. It hands over no item: an item stays in the channel until a receive
   * that was not aborted takes it.
   */
  async ready(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    while (this.#items.length === 0 && this.#state.phase === "open") await this.#receivers.wait(undefined, signal);
  }

  /** The end of an empty channel. Throws its error, the first time. */
  finish(): End {
    const state = this.#state;
    if (state.phase === "ending") {
      this.#state = { phase: "ended", isReceiverGone: false };
      if (state.failure !== undefined) throw state.failure.error;
    }
    return END;
  }

  #weightOf(item: T): number {
    if (this.#weigh === undefined) return 1;
    const weight = this.#weigh(item);
    checkWeight(weight);
    return weight;
  }

  #accepts(weight: number): boolean {
    return this.#line.size === 0 && this.#fits(weight);
  }

  #fits(weight: number): boolean {
    const taken = this.#weight + this.#reserved;
    return taken === 0 || taken + weight <= this.#capacity;
  }

  #push(item: T, weight: number): void {
    this.#items.push(item);
    this.#weights?.push(weight);
    this.#weight += weight;
    const waker = this.#waker;
    if (waker !== undefined) {
      this.#waker = undefined;
      waker.wake();
    }
    if (this.#receivers.size > 0) this.#receivers.admit();
  }

  #shift(): T {
    const item = this.#items.shift() as T;
    const weight = this.#weights === undefined ? 1 : (this.#weights.shift() ?? 1);
    // Sums of fractions are inexact: an empty channel has weight 0.
    this.#weight = this.#items.length === 0 ? 0 : this.#weight - weight;
    return item;
  }

  /** Handles an item for which there is no room, by dropping. Returns whether the item was added. */
  #displace(item: T, weight: number): boolean {
    if (this.#overflow === "drop-oldest") {
      while (!this.#fits(weight) && this.#items.length > 0) {
        this.#shift();
        this.#dropped += 1;
      }
      if (this.#fits(weight)) {
        this.#push(item, weight);
        return true;
      }
    }
    this.#dropped += 1;
    return false;
  }

  /** Admits what waits in line and fits, in order. */
  #settle(): void {
    for (let ask = this.#line.firstAsk; ask !== undefined; ask = this.#line.firstAsk) {
      const isVoid = ask.kind === "reserve" && this.#state.phase !== "open";
      if (isVoid) {
        this.#line.admit(undefined);
        continue;
      }
      if (!this.#fits(ask.weight)) return;
      if (ask.kind === "send") {
        this.#push(ask.item, ask.weight);
        this.#line.admit(undefined);
      } else {
        this.#line.admit(this.#grant(ask.weight));
      }
    }
  }

  /** Reserves room. The caller is counted as a holder already. */
  #grant(weight: number): Slot<T> {
    let isHeld = true;
    this.#slots += 1;
    this.#reserved += weight;
    const giveBack = () => {
      isHeld = false;
      this.#slots -= 1;
      this.#reserved = this.#slots === 0 ? 0 : this.#reserved - weight;
    };
    return {
      send: (item) => {
        if (!isHeld) throw new ChannelClosedError("the slot was used or released");
        this.checkOpen();
        const itemWeight = this.#weightOf(item);
        if (itemWeight > weight)
          throw new RangeError(`Cannot send an item of weight ${itemWeight}: ${weight} reserved`);
        giveBack();
        this.#push(item, itemWeight);
        this.#settle();
        this.removeHolder();
      },
      release: () => {
        if (!isHeld) return;
        if (this.#state.phase !== "open") {
          isHeld = false;
          return;
        }
        giveBack();
        this.#settle();
        this.removeHolder();
      },
    };
  }

  /** Frees the room of slots that can no longer send. */
  #voidSlots(): void {
    this.#slots = 0;
    this.#reserved = 0;
  }

  #wakeAll(): void {
    this.#receivers.admitAll();
    const waker = this.#waker;
    this.#waker = undefined;
    waker?.wake();
  }
}

function checkWeight(weight: number): void {
  if (!(weight > 0)) throw new RangeError(`Cannot send an item of weight ${weight}`);
}
