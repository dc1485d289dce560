import { expect, test } from "vitest";
import { parseOffsets } from "../../src/cli/offsets-option.js";

test("parseOffsets(), reads offsets and ranges with both ends", () => {
  expect(parseOffsets("3")).toEqual([{ firstOffset: 3, nextOffset: 4 }]);
  expect(parseOffsets("3..5, 0,7..7")).toEqual([
    { firstOffset: 3, nextOffset: 6 },
    { firstOffset: 0, nextOffset: 1 },
    { firstOffset: 7, nextOffset: 8 },
  ]);
  for (const text of ["", "a", "3,", "5..3", "-1", "1..", "1...2", "9007199254740991"]) {
    expect(() => parseOffsets(text), text).toThrow("--offsets: must be offsets");
  }
});
