/** What becomes of an item for which there is no room; see `ChannelOptions`. */
export type Overflow = "wait" | "fail" | "drop-oldest" | "drop-newest";

export interface ChannelOptions<T> {
  /** What the items in the channel may weigh together: their number, unless `weigh` says otherwise. */
  readonly capacity: number;
  /** An item's weight, above 0. Default 1. An item heavier than the capacity is taken when the channel is empty. */
  readonly weigh?: (item: T) => number;
  /**
   * What a send does when there is no room. "wait", the default: it waits. "fail": it rejects with `ChannelFullError`.
   * "drop-oldest": the items that are there longest leave, as many as it takes. "drop-newest": the item itself is left
   * out. What was left out is counted.
   */
  readonly overflow?: Overflow;
}

/** Room in a channel that nobody else gets: for one item, which may come later. */
export interface Slot<T> {
  /**
   * Puts the item in, at once, behind those that were sent before; what it weighs less than was reserved becomes free.
   * Throws `ChannelClosedError` when the slot was used or released, after `fail`, and once the receiver is gone; and a
   * `RangeError`, with the slot still held, for an item that is heavier than what was reserved.
   */
  send(item: T): void;
  /** Gives the room back. Does nothing when the slot was used or released. */
  release(): void;
}
