const slotsMin = 16;

/**
 * A first-in, first-out queue in a circular array. The array doubles when it is full, and halves when three quarters are
 * empty, but not below `slotsKept` slots. `push` and `shift` are O(1) amortised, `at` is O(1). A free slot keeps no item in
 * memory. The queue has no bound of its own: its owner must have one.
 *
 * @example
 * const jobs = new Queue<string>();
 * jobs.push("first");
 * jobs.push("second");
 * console.log(jobs.at(1), jobs.shift(), jobs.length); // second first 1
 */
export class Queue<T> {
  readonly #slotsKept: number;
  #slots = emptySlots<T>(slotsMin);
  #head = 0;
  #length = 0;

  constructor(slotsKept = slotsMin) {
    this.#slotsKept = Math.max(slotsMin, slotsKept);
  }

  get length(): number {
    return this.#length;
  }

  push(item: T): void {
    if (this.#length === this.#slots.length) this.#resize(this.#slots.length * 2);
    this.#slots[this.#index(this.#length)] = item;
    this.#length += 1;
  }

  /** Removes and returns the oldest item; `undefined` when there is none. */
  shift(): T | undefined {
    if (this.#length === 0) return undefined;
    const item = this.#slots[this.#head];
    this.#slots[this.#head] = undefined;
    this.#head = this.#index(1);
    this.#length -= 1;
    if (this.#length < this.#slots.length / 4 && this.#slots.length / 2 >= this.#slotsKept)
      this.#resize(this.#slots.length / 2);
    return item;
  }

  /** The item that `shift` would return after `index` others. */
  at(index: number): T | undefined {
    return index >= 0 && index < this.#length ? this.#slots[this.#index(index)] : undefined;
  }

  clear(): void {
    this.#slots = emptySlots<T>(slotsMin);
    this.#head = 0;
    this.#length = 0;
  }

  /** The array's length is a power of two, so a mask wraps an index around. */
  #index(offset: number): number {
    return (this.#head + offset) & (this.#slots.length - 1);
  }

  #resize(length: number): void {
    const slots = emptySlots<T>(length);
    for (let index = 0; index < this.#length; index += 1) slots[index] = this.#slots[this.#index(index)];
    this.#slots = slots;
    this.#head = 0;
  }
}

function emptySlots<T>(length: number): (T | undefined)[] {
  // Five times as fast as Array.from, and every resize needs one.
  const slots: (T | undefined)[] = [];
  slots.length = length;
  return slots.fill(undefined);
}
