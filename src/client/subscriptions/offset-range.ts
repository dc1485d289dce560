import type { OffsetRange } from "../../core/index.js";

/** A range on the wire may be abbreviated to its only offset. */
export function toRange({ firstOffset, nextOffset }: OffsetRange): OffsetRange {
  return { firstOffset, nextOffset: nextOffset === 0 ? firstOffset + 1 : nextOffset };
}
