/**
 * Rows of `retries` hold the offsets of a claim that wait alike, and that are in one bucket: so what is settled is looked
 * for by the key of its bucket, in a row for each, and a row is small whatever it holds.
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

/** The buckets of some offsets, each once, as Postgres writes an array. */
export function encodeBuckets(offsets: Iterable<number>): string {
  return `{${[...new Set(Array.from(offsets, bucketOf))].join(",")}}`;
}
