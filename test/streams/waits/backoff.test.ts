import fc from "fast-check";
import { expect, test } from "vitest";
import { backoff } from "../../../src/streams/index.js";

test("backoff, doubles its bound up to maxMs, and begins anew after a reset", () => {
  const waits = backoff({ minMs: 100, maxMs: 1000, random: () => 1 - Number.EPSILON });
  expect(Array.from({ length: 6 }, () => waits.next())).toEqual([100, 200, 400, 800, 1000, 1000]);
  waits.reset();
  expect(waits.next()).toBe(100);
});

test("backoff, waits a random time from 0 to its bound", () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { maxLength: 30 }), (draws) => {
      const left = [...draws];
      const waits = backoff({ random: () => left.shift() ?? 0 });
      draws.forEach((draw, tries) => {
        const bound = Math.min(30_000, 100 * 2 ** tries);
        expect(waits.next()).toBe(Math.floor(draw * (bound + 1)));
      });
    }),
  );
});

test("backoff, refuses invalid bounds", () => {
  expect(() => backoff({ minMs: 0 })).toThrow(RangeError);
  expect(() => backoff({ minMs: 10, maxMs: 5 })).toThrow(RangeError);
});
