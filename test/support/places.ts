import fc from "fast-check";
import type { Rectangle } from "../../src/core/index.js";

/** Places all over the Earth, and more often on edges and on whole degrees, where rectangles have theirs. */
const latitude = fc.oneof(fc.constantFrom(-90, -45, 0, 45, 90), fc.double({ min: -90, max: 90, noNaN: true }));
const longitude = fc.oneof(fc.constantFrom(-180, -90, 0, 90, 180), fc.double({ min: -180, max: 180, noNaN: true }));

export const placeArbitrary = fc.record({ latitude, longitude });

/** Rectangles of all sizes; half of them cross the antimeridian. */
export const rectangleArbitrary: fc.Arbitrary<Rectangle> = fc
  .tuple(latitude, latitude, longitude, longitude)
  .map(([one, other, west, east]) => ({ south: Math.min(one, other), west, north: Math.max(one, other), east }));
