import fc from "fast-check";
import { expect, test } from "vitest";
import { isInside, type Rectangle } from "../../src/core/index.js";
import { cellOf, cellRanges } from "../../src/store/postgres/state/cells.js";
import { placeArbitrary, rectangleArbitrary } from "../support/places.js";

test("cellRanges(), cover the cell of every place inside, and are few, ascending and disjoint", () => {
  fc.assert(
    fc.property(rectangleArbitrary, placeArbitrary, (rectangle, place) => {
      const ranges = cellRanges(rectangle);
      expect(ranges.length).toBeLessThanOrEqual(32);
      for (const [index, { low, high }] of ranges.entries()) {
        expect(high).toBeGreaterThanOrEqual(low);
        expect(low).toBeGreaterThan((ranges[index - 1]?.high ?? -2) + 1);
      }
      const cell = cellOf(place);
      if (isInside(place, rectangle)) expect(ranges.some(({ low, high }) => cell >= low && cell <= high)).toBe(true);
    }),
    { numRuns: 2000 },
  );
});

/** The share of the Earth that the ranges cover. */
function share(rectangle: Rectangle): number {
  return cellRanges(rectangle).reduce((sum, { low, high }) => sum + (high - low + 1), 0) / 2 ** 52;
}

test("cellRanges(), cover the whole world, or little more than a town", () => {
  expect(share({ south: -90, west: -180, north: 90, east: 180 })).toBe(1);
  const town = { south: 46.93, west: 7.39, north: 46.97, east: 7.49 };
  expect(share(town)).toBeLessThan(3 * ((0.04 / 180) * (0.1 / 360)));
  const fiji = { south: -19, west: 177, north: -16, east: -178 };
  expect(share(fiji)).toBeLessThan(3 * ((3 / 180) * (5 / 360)));
});

test("cellOf(), gives the corners of the Earth different cells", () => {
  expect(cellOf({ latitude: -90, longitude: -180 })).toBe(0);
  expect(cellOf({ latitude: 90, longitude: 180 })).toBe(2 ** 52 - 1);
  expect(cellOf({ latitude: -90, longitude: 180 })).toBe((2 ** 52 - 1) / 3);
});
