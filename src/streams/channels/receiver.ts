import { END, type Polled, Stream } from "../stream.js";
import type { Waker } from "../waits/waiter.js";
import type { ChannelCore } from "./channel-core.js";

/**
 * The receiving side of a channel: a stream, for one consumer. Items come in the order in which they were sent. After the
 * last one comes the end, or the error once. `break` closes it.
 */
export class Receiver<T> extends Stream<T> {
  readonly #core: ChannelCore<T>;

  constructor(core: ChannelCore<T>) {
    super();
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

  /** How many items the overflow has dropped. */
  get dropped(): number {
    return this.#core.dropped;
  }

  override poll(waker: Waker): Polled<T> {
    return this.#core.poll(waker);
  }

  /** The next item or the end. Rejects with the signal's reason when it aborts; no item is lost by that. */
  async receive(signal?: AbortSignal): Promise<IteratorResult<T, undefined>> {
    await this.#core.ready(signal);
    const item = this.#core.size > 0 ? this.#core.take() : this.#core.finish();
    return item === END ? { done: true, value: undefined } : { done: false, value: item };
  }

  /**
   * Waits until there is an item. Takes the first item in any case, and further ones up to a total weight of `maxWeight`.
   * An empty array is the end. Rejects with the signal's reason when it aborts; no item is lost by that.
   */
  async receiveMany(maxWeight: number, signal?: AbortSignal): Promise<T[]> {
    await this.#core.ready(signal);
    if (this.#core.size > 0) return this.#core.takeAvailable(Math.max(maxWeight, this.#core.firstWeight));
    this.#core.finish();
    return [];
  }

  /** Takes the oldest items up to a total weight of `maxWeight`, without waiting; there may be none. */
  takeAvailable(maxWeight: number): T[] {
    return this.#core.takeAvailable(maxWeight);
  }

  /** Leaves: drops the items in the channel, and fails the waiting sends. */
  override close(): undefined {
    this.#core.leave();
  }
}
