import { Queue } from "./queue.js";

/** One item of a ring, and the positions [start, end) that it covers. */
export interface RingEntry<T> {
  readonly item: T;
  readonly start: number;
  readonly end: number;
  readonly weight: number;
}

export interface RingOptions {
  /** The largest total weight of the items. */
  readonly capacity: number;
  /** The position where the first item begins. Default 0. */
  readonly start?: number;
  /** Called with the change of the weight, once for each operation that changes it: for a total over many rings. */
  readonly onWeight?: (delta: number) => void;
}

/**
 * The newest items of a sequence, without gaps: the storage of a broadcast, whose receivers are positions in it. Appending
 * evicts the oldest items until the rest weighs no more than the capacity. Items below `first` have been evicted; the one
 * at `next` does not exist yet. Appending is O(1) amortised. Finding is O(log items), and O(1) if each item covers one
 * position.
 *
 * @example
 * const ring = new Ring<string>({ capacity: 2 });
 * for (const item of ["a", "b", "c"]) ring.append(item, ring.next + 1, 1);
 * console.log(ring.first, ring.find(1)?.item, ring.find(0)); // 1 b undefined
 */
export class Ring<T> {
  readonly #capacity: number;
  readonly #onWeight: ((delta: number) => void) | undefined;
  readonly #entries = new Queue<RingEntry<T>>();
  #next: number;
  #weight = 0;

  constructor(options: RingOptions) {
    if (!(options.capacity >= 0)) throw new RangeError(`Cannot make a ring with capacity ${options.capacity}`);
    this.#capacity = options.capacity;
    this.#onWeight = options.onWeight;
    this.#next = options.start ?? 0;
  }

  /** The lowest position that can be found; `next` while the ring is empty. */
  get first(): number {
    return this.#entries.at(0)?.start ?? this.#next;
  }

  /** The position where the next item will begin. */
  get next(): number {
    return this.#next;
  }

  get weight(): number {
    return this.#weight;
  }

  /** The number of items. */
  get size(): number {
    return this.#entries.length;
  }

  /**
   * Adds an item that covers [next, end). An item that is heavier than the capacity is not kept. The ring is then empty,
   * with `first` and `next` at the item's end, since a ring has no gaps. Throws a `RangeError` when `end` is not above
   * `next`, and for a weight that is not above 0.
   */
  append(item: T, end: number, weight: number): void {
    if (!(end > this.#next)) throw new RangeError(`Cannot append up to ${end}: the ring ends at ${this.#next}`);
    if (!(weight > 0)) throw new RangeError(`Cannot append an item of weight ${weight}`);
    const before = this.#weight;
    this.#entries.push({ item, start: this.#next, end, weight });
    this.#next = end;
    this.#weight += weight;
    this.#evict(this.#capacity);
    this.#report(before);
  }

  /** The item that covers `position`; `undefined` outside [first, next). */
  find(position: number): RingEntry<T> | undefined {
    if (!(position >= this.first && position < this.#next)) return undefined;
    // If each item covers one position, this is the item.
    const guess = this.#entries.at(position - this.first);
    if (guess?.start === position) return guess;
    let low = 0;
    let high = this.#entries.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      const entry = this.#entries.at(middle);
      if (entry !== undefined && entry.start <= position) low = middle;
      else high = middle - 1;
    }
    return this.#entries.at(low);
  }

  /** Evicts the oldest items until the rest weighs at most `maxWeight`; 0 evicts them all. */
  evictTo(maxWeight: number): void {
    const before = this.#weight;
    this.#evict(maxWeight);
    this.#report(before);
  }

  /** Drops all items and begins anew at any `position`. */
  restart(position: number): void {
    const before = this.#weight;
    this.#entries.clear();
    this.#next = position;
    this.#weight = 0;
    this.#report(before);
  }

  #evict(maxWeight: number): void {
    while (this.#weight > maxWeight) {
      const oldest = this.#entries.shift();
      if (oldest === undefined) return;
      this.#weight -= oldest.weight;
    }
  }

  #report(before: number): void {
    if (this.#weight !== before) this.#onWeight?.(this.#weight - before);
  }
}
