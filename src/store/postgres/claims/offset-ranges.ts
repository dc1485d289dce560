/** Sets of offsets as Postgres writes an int8multirange: `{[1,5),[7,)}`. */

import type { OffsetRange } from "../../../core/index.js";

/** In any order, and they may overlap: Postgres puts them right. Infinity: no end. */
export function encodeRanges(ranges: Iterable<OffsetRange>): string {
  let text = "";
  for (const { firstOffset, nextOffset } of ranges) {
    if (!(firstOffset < nextOffset)) continue;
    text += `${text === "" ? "" : ","}[${firstOffset},${nextOffset === Infinity ? "" : nextOffset})`;
  }
  return `{${text}}`;
}

/** As Postgres gives it: in order and apart, each with its first and without its last offset. */
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

/** Several of them, as Postgres writes an array. */
export function encodeRangesArray(sets: Iterable<string>): string {
  return `{${Array.from(sets, (set) => `"${set}"`).join(",")}}`;
}

/** Each offset a range of its own. */
export function* rangesOf(offsets: Iterable<number>): Generator<OffsetRange, void> {
  for (const offset of offsets) yield { firstOffset: offset, nextOffset: offset + 1 };
}
