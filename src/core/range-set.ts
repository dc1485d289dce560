/**
 * A set of offsets, stored as sorted, disjoint ranges that are not empty. Claimed, read and acknowledged offsets are mostly
 * neighbours, so a large set has few ranges. The last range may have no end (Infinity).
 */

import type { OffsetRange } from "./producer.js";

interface Range {
  firstOffset: number;
  nextOffset: number;
}

export class RangeSet implements Iterable<OffsetRange> {
  readonly #ranges: Range[] = [];

  constructor(ranges: Iterable<OffsetRange> = []) {
    for (const { firstOffset, nextOffset } of ranges) this.add(firstOffset, nextOffset);
  }

  get isEmpty(): boolean {
    return this.#ranges.length === 0;
  }

  /** The number of ranges. */
  get size(): number {
    return this.#ranges.length;
  }

  /** The number of offsets. */
  get count(): number {
    let count = 0;
    for (const range of this.#ranges) count += range.nextOffset - range.firstOffset;
    return count;
  }

  /** The lowest offset; undefined when the set is empty. */
  get first(): number | undefined {
    return this.#ranges[0]?.firstOffset;
  }

  /** The offset after the highest one; 0 when the set is empty. */
  get next(): number {
    return this.#ranges.at(-1)?.nextOffset ?? 0;
  }

  get firstRange(): OffsetRange | undefined {
    return this.#ranges[0];
  }

  has(offset: number): boolean {
    const range = this.#ranges[this.#indexAfter(offset) - 1];
    return range !== undefined && offset < range.nextOffset;
  }

  /** Adds the offsets from `first` to below `next`. */
  add(first: number, next: number): void {
    if (!(first < next)) return;
    const last = this.#ranges.at(-1);
    // The usual case: the set grows at its end.
    if (last === undefined || first > last.nextOffset) {
      this.#ranges.push({ firstOffset: first, nextOffset: next });
      return;
    }
    if (first >= last.firstOffset) {
      last.nextOffset = Math.max(last.nextOffset, next);
      return;
    }
    let from = this.#indexAfter(first);
    if (from > 0 && (this.#ranges[from - 1] as Range).nextOffset >= first) from -= 1;
    let to = from;
    let low = first;
    let high = next;
    for (; to < this.#ranges.length; to++) {
      const range = this.#ranges[to] as Range;
      if (range.firstOffset > next) break;
      low = Math.min(low, range.firstOffset);
      high = Math.max(high, range.nextOffset);
    }
    this.#ranges.splice(from, to - from, { firstOffset: low, nextOffset: high });
  }

  /** Removes the offsets from `first` to below `next`. */
  delete(first: number, next: number): void {
    if (!(first < next)) return;
    let from = this.#indexAfter(first);
    if (from > 0 && (this.#ranges[from - 1] as Range).nextOffset > first) from -= 1;
    const left: Range[] = [];
    let to = from;
    for (; to < this.#ranges.length; to++) {
      const range = this.#ranges[to] as Range;
      if (range.firstOffset >= next) break;
      if (range.firstOffset < first) left.push({ firstOffset: range.firstOffset, nextOffset: first });
      if (range.nextOffset > next) left.push({ firstOffset: next, nextOffset: range.nextOffset });
    }
    if (to > from) this.#ranges.splice(from, to - from, ...left);
  }

  /** The parts of a range that are not in the set. */
  *missing(first: number, next: number): Generator<OffsetRange, void> {
    let at = first;
    for (let index = Math.max(0, this.#indexAfter(first) - 1); index < this.#ranges.length; index++) {
      const range = this.#ranges[index] as Range;
      if (range.firstOffset >= next) break;
      if (range.firstOffset > at) yield { firstOffset: at, nextOffset: range.firstOffset };
      at = Math.max(at, range.nextOffset);
    }
    if (at < next) yield { firstOffset: at, nextOffset: next };
  }

  /** The parts of a range that are in the set. */
  *common(first: number, next: number): Generator<OffsetRange, void> {
    for (let index = Math.max(0, this.#indexAfter(first) - 1); index < this.#ranges.length; index++) {
      const range = this.#ranges[index] as Range;
      if (range.firstOffset >= next) return;
      const common = {
        firstOffset: Math.max(first, range.firstOffset),
        nextOffset: Math.min(next, range.nextOffset),
      };
      if (common.firstOffset < common.nextOffset) yield common;
    }
  }

  clear(): void {
    this.#ranges.length = 0;
  }

  *[Symbol.iterator](): Generator<OffsetRange, void> {
    for (const { firstOffset, nextOffset } of this.#ranges) yield { firstOffset, nextOffset };
  }

  /** The index of the first range that begins above `offset`. */
  #indexAfter(offset: number): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ranges[middle] as Range).firstOffset > offset) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
