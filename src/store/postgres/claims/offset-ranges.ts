/** Sets of offsets in the text form of int8multirange: `{[1,5),[7,)}`. */

import type { OffsetRange } from "../../../core/index.js";

/** In any order, and they may overlap: Postgres normalizes them. Infinity: no end. */
export function encodeRanges(ranges: Iterable<OffsetRange>): string {
  let text = "";
  for (const { firstOffset, nextOffset } of ranges) {
    if (!(firstOffset < nextOffset)) continue;
    text += `${text === "" ? "" : ","}[${firstOffset},${nextOffset === Infinity ? "" : nextOffset})`;
  }
  return `{${text}}`;
}

/** Postgres' form: ascending and disjoint, each range with its first and without its last offset. */
export function decodeRanges(text: string): readonly OffsetRange[] {
  if (text === "{}") return [];
  return text
    .slice(2, -2)
    .split("),[")
    .map((range) => {
      const comma = range.indexOf(",");
      const end = range.slice(comma + 1);
      return { firstOffset: Number(range.slice(0, comma)), nextOffset: end === "" ? Infinity : Number(end) };
    });
}

/** Several sets, in the text form of a Postgres array. */
export function encodeRangesArray(sets: Iterable<string>): string {
  return `{${Array.from(sets, (set) => `"${set}"`).join(",")}}`;
}

/** Each offset as a range of its own. */
export function* rangesOf(offsets: Iterable<number>): Generator<OffsetRange, void> {
  for (const offset of offsets) yield { firstOffset: offset, nextOffset: offset + 1 };
}
