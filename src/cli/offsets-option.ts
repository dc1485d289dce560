import { CommandError } from "./output.js";

/** Offsets from the first one to the one before `nextOffset`. */
interface OffsetRange {
  readonly firstOffset: number;
  readonly nextOffset: number;
}

/** Reads `--offsets 3,7..9`: offsets and inclusive ranges, separated by commas. */
export function parseOffsets(text: string): readonly OffsetRange[] {
  return text.split(",").map((part) => {
    const [, first = "", last = first] = /^\s*(\d+)(?:\.\.(\d+))?\s*$/.exec(part) ?? [];
    const range = { firstOffset: Number(first), nextOffset: Number(last) + 1 };
    if (first === "" || !Number.isSafeInteger(range.nextOffset) || range.nextOffset <= range.firstOffset) {
      throw new CommandError(
        `--offsets: must be offsets or ranges FIRST..LAST, separated by commas, such as 3,7..9; got ${JSON.stringify(text)}`,
        2,
      );
    }
    return range;
  });
}
