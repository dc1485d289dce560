import { deliveryBounds, invalidArgument, type OffsetRange } from "../../core/index.js";
import type { OffsetRange as OffsetRangeMessage } from "../../gen/millrace/v1/subscription_service.js";

/** Ranges of a request. `field` is the list's path as written in proto. */
export function decodeRanges(ranges: readonly OffsetRangeMessage[], field: string): readonly OffsetRange[] {
  return ranges.map((range, index) => decodeRange(range, `${field}[${index}]`));
}

/** A non-empty range. `field` is its path as written in proto. */
export function decodeRange(range: OffsetRangeMessage | undefined, field: string): OffsetRange {
  if (range === undefined) throw invalidArgument(field, "is required");
  const { firstOffset, nextOffset } = range;
  if (nextOffset === 0) {
    // The next offset must also be a safe integer.
    if (firstOffset === Number.MAX_SAFE_INTEGER) {
      throw invalidArgument(`${field}.first_offset`, `must be below ${Number.MAX_SAFE_INTEGER}`);
    }
    return { firstOffset, nextOffset: firstOffset + 1 };
  }
  if (nextOffset <= firstOffset) {
    throw invalidArgument(
      `${field}.next_offset`,
      `must be above first_offset, ${firstOffset}, or 0 for it alone; got ${nextOffset}`,
    );
  }
  return { firstOffset, nextOffset };
}

/** Refuses a message whose lists have too many ranges together. `fields` names the lists. */
export function checkRangeCount(count: number, fields: string): void {
  const { rangesInMessage } = deliveryBounds;
  if (count > rangesInMessage) {
    throw invalidArgument(fields, `at most ${rangesInMessage} ranges are allowed in one message, got ${count}`);
  }
}
