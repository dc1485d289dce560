import { Queue } from "./queue.js";

/** One item of a ring, and the positions [start, end) that it covers. */
export interface RingEntry<T> {
  readonly item: T;
  readonly start: number;
  readonly end: number;
  readonly weight: number;
}

export interface RingOptions {
  /** What all items may weigh together, in the unit of the weights. */
  readonly capacity: number;
  /** Where the first item begins. Default 0. */
  readonly start?: number;
  /** Told by how much the weight changed, once an operation and never 0: for a total over many rings. */
  readonly onWeight?: (delta: number) => void;
}

/**
 * The newest items of a sequence, without a hole between them: the storage of a broadcast, whose receivers are nothing
 * but positions. Appending evicts the oldest items until the rest weighs no more than the capacity. A position below
 * `first` has left; one at `next` is not there yet. Appending is O(1) amortised, finding
 * O(log items), and O(1) where each item covers one position.
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

  /** Where the next item will begin. */
  get next(): number {
    return this.#next;
  }

  get weight(): number {
    return this.#weight;
  }

  /** How many items it holds. */
  get size(): number {
    return this.#entries.length;
  }

  /**
   * Adds an item that covers [next, end). One that is heavier than the capacity is not kept and leaves the ring empty,
   * with `first` and `next` at its end: a hole is never kept. Throws a `RangeError` when `end` is not above `next`, and
   * for a weight that is not above 0.
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
    // Where each item covers one position, its index is known.
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

  /** Drops everything and begins again at `position`, which may be anywhere. */
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
