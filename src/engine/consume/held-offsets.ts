import type { OffsetRange } from "../../core/index.js";

/** A range this short is looked up offset by offset. */
const shortRange = 256;

/**
 * Which offsets of ranges a consumer has. Ranges may be as long as a client likes, and there may be many: the offsets are
 * sorted once, and of each range no more is looked at than there is.
 */
export class HeldOffsets {
  readonly #held: ReadonlyMap<number, unknown>;
  #sorted: Float64Array | undefined;

  constructor(held: ReadonlyMap<number, unknown>) {
    this.#held = held;
  }

  /** The offsets of a range that are there, ascending, and what is left of it. */
  of({ firstOffset, nextOffset }: OffsetRange): {
    readonly held: readonly number[];
    readonly stale: readonly OffsetRange[];
  } {
    const held =
      nextOffset - firstOffset <= shortRange
        ? this.#lookUp(firstOffset, nextOffset)
        : this.#find(firstOffset, nextOffset);
    const stale: OffsetRange[] = [];
    let at = firstOffset;
    for (const offset of held) {
      if (offset > at) stale.push({ firstOffset: at, nextOffset: offset });
      at = offset + 1;
    }
    if (at < nextOffset) stale.push({ firstOffset: at, nextOffset });
    return { held, stale };
  }

  #lookUp(first: number, next: number): number[] {
    const found: number[] = [];
    for (let offset = first; offset < next; offset++) if (this.#held.has(offset)) found.push(offset);
    return found;
  }

  #find(first: number, next: number): number[] {
    this.#sorted ??= Float64Array.from(this.#held.keys()).sort();
    const sorted = this.#sorted;
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((sorted[middle] as number) < first) low = middle + 1;
      else high = middle;
    }
    const found: number[] = [];
    for (; low < sorted.length && (sorted[low] as number) < next; low++) {
      // It may have been taken off since.
      if (this.#held.has(sorted[low] as number)) found.push(sorted[low] as number);
    }
    return found;
  }
}
