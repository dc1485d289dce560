import fc from "fast-check";
import { expect, test } from "vitest";
import { RangeSet } from "../../src/core/index.js";

const change = fc.record({
  adds: fc.boolean(),
  first: fc.nat({ max: 60 }),
  length: fc.nat({ max: 20 }),
});

test("RangeSet, is a set of numbers whose ranges are sorted, apart and not empty", () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 40 }), (changes) => {
      const ranges = new RangeSet();
      const model = new Set<number>();
      for (const { adds, first, length } of changes) {
        if (adds) ranges.add(first, first + length);
        else ranges.delete(first, first + length);
        for (let offset = first; offset < first + length; offset++) {
          if (adds) model.add(offset);
          else model.delete(offset);
        }
      }
      const inside = [...ranges].flatMap(({ firstOffset, nextOffset }) =>
        Array.from({ length: nextOffset - firstOffset }, (_, index) => firstOffset + index),
      );
      expect(inside).toEqual([...model].sort((one, other) => one - other));
      expect(ranges.count).toBe(model.size);
      expect(ranges.first).toBe(inside[0]);
      expect(ranges.isEmpty).toBe(model.size === 0);
      const gaps = [...ranges.missing(10, 50)].flatMap(({ firstOffset, nextOffset }) =>
        Array.from({ length: nextOffset - firstOffset }, (_, index) => firstOffset + index),
      );
      expect(gaps).toEqual(Array.from({ length: 40 }, (_, index) => index + 10).filter((offset) => !model.has(offset)));
      let last = -1;
      for (const { firstOffset, nextOffset } of ranges) {
        expect(firstOffset).toBeGreaterThan(last);
        expect(nextOffset).toBeGreaterThan(firstOffset);
        last = nextOffset;
      }
      for (let offset = 0; offset < 80; offset++) expect(ranges.has(offset)).toBe(model.has(offset));
    }),
  );
});

test("RangeSet, may have a last range without an end", () => {
  const ranges = new RangeSet([{ firstOffset: 5, nextOffset: Number.POSITIVE_INFINITY }]);
  ranges.delete(7, 9);
  expect([...ranges]).toEqual([
    { firstOffset: 5, nextOffset: 7 },
    { firstOffset: 9, nextOffset: Number.POSITIVE_INFINITY },
  ]);
  expect(ranges.has(2 ** 53)).toBe(true);
  ranges.add(6, 10);
  expect(ranges.size).toBe(1);
});
