/** What happens to an item for which there is no room; see `ChannelOptions`. */
export type Overflow = "wait" | "fail" | "drop-oldest" | "drop-newest";

export interface ChannelOptions<T> {
  /** The largest total weight of the items in the channel. Without `weigh`, their largest number. */
  readonly capacity: number;
  /** An item's weight, above 0. Default 1. An item heavier than the capacity is accepted when the channel is empty. */
  readonly weigh?: (item: T) => number;
  /**
   * What a send does when there is no room. "wait", the default: it waits. "fail": it rejects with `ChannelFullError`.
   * "drop-oldest": it drops the oldest items, as many as needed. "drop-newest": it drops its own item. Dropped items are
   * counted.
   */
  readonly overflow?: Overflow;
}

/** Reserved room in a channel, for one item that comes later. */
export interface Slot<T> {
  /**
   * Adds the item at once, behind the items that were sent before, and frees the reserved weight that it does not need.
   * Throws `ChannelClosedError` when the slot was used or released, after `fail`, and once the receiver is gone. Throws a
   * `RangeError` for an item that is heavier than the reservation; the slot is then still held.
   */
  send(item: T): void;
  /** Gives the room back. Does nothing when the slot was used or released. */
  release(): void;
}
