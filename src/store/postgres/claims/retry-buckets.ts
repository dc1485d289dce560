/**
 * A row of `retries` has offsets of one claim and one bucket, with the same attempts and time. So settled offsets are
 * found by the key of their bucket, one row at a time, and a row stays small whatever offsets it has.
 */

import type { OffsetRange } from "../../../core/index.js";

export const bucketOffsets = 256;

export const bucketOf = (offset: number): number => Math.floor(offset / bucketOffsets);

/** Ranges cut at the borders of buckets. */
export function* cutIntoBuckets(
  ranges: Iterable<OffsetRange>,
): Generator<{ readonly bucket: number; readonly range: OffsetRange }, void> {
  for (const { firstOffset, nextOffset } of ranges) {
    for (let at = firstOffset; at < nextOffset; ) {
      const bucket = bucketOf(at);
      const end = Math.min(nextOffset, (bucket + 1) * bucketOffsets);
      yield { bucket, range: { firstOffset: at, nextOffset: end } };
      at = end;
    }
  }
}

/** The buckets of some offsets, each once, in the text form of a Postgres array. */
export function encodeBuckets(offsets: Iterable<number>): string {
  return `{${[...new Set(Array.from(offsets, bucketOf))].join(",")}}`;
}
