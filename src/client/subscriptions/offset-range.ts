import type { OffsetRange } from "../../core/index.js";

/** Completes a range from the wire: `nextOffset` is 0 in a range of one offset. */
export function toRange({ firstOffset, nextOffset }: OffsetRange): OffsetRange {
  return { firstOffset, nextOffset: nextOffset === 0 ? firstOffset + 1 : nextOffset };
}
