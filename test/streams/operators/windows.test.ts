import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { collect, map, pipe, range, windows } from "../../../src/streams/index.js";
import { failureOf } from "../support/failure-of.js";
import { tracked } from "../support/tracked-source.js";

const all = { limit: 1000 };

function windowsOf(items: readonly number[], size: number, every: number, partial: boolean): number[][] {
  const given: number[][] = [];
  let at = 0;
  let seen = 0;
  for (; at + size <= items.length; at += every) {
    given.push(items.slice(at, at + size));
    seen = at + size;
  }
  // Items in a gap belong to no window.
  if (partial && Math.max(seen, at) < items.length) given.push(items.slice(at));
  return given;
}

describe("windows", () => {
  test("overlap, adjoin and leave gaps, as slices of the items do", async () => {
    const counts = fc.integer({ min: 1, max: 6 });
    await fc.assert(
      fc.asyncProperty(
        fc.nat(30),
        counts,
        counts,
        fc.boolean(),
        fc.boolean(),
        async (n, size, every, partial, isNow) => {
          const items = Array.from({ length: n }, (_, index) => index);
          const given = windows(isNow ? items : tracked(items).items, { size, every, partial });
          expect(await collect(given, all)).toEqual(windowsOf(items, size, every, partial));
        },
      ),
      { numRuns: 300 },
    );
  });

  test("adjoin by default, and are full by default", async () => {
    expect(await collect(windows(range(0, 5), { size: 2 }), all)).toEqual([
      [0, 1],
      [2, 3],
    ]);
    expect(await collect(windows(range(0, 5), { size: 2, partial: true }), all)).toHaveLength(3);
  });

  test("are separate arrays: changing one changes no other", async () => {
    const given = await pipe(
      range(0, 4),
      windows({ size: 3, every: 1 }),
      map((window) => window.splice(0, 2)),
      collect(all),
    );
    expect(given).toEqual([
      [0, 1],
      [1, 2],
    ]);
  });

  test("come before an error, and the partial one too", async () => {
    const error = new Error("broken");
    const stream = windows(tracked([1, 2, 3], { failWith: error }).items, { size: 2, partial: true });
    expect((await stream.next()).value).toEqual([1, 2]);
    expect((await stream.next()).value).toEqual([3]);
    expect(await failureOf(stream.next())).toBe(error);
    expect((await stream.next()).done).toBe(true);
  });

  test("pull nothing ahead, and close the source", async () => {
    const source = tracked([1, 2, 3, 4, 5]);
    const stream = windows(source.items, { size: 2, every: 1 });
    await stream.next();
    await stream.next();
    expect(source.pulled).toBe(3);
    await stream.return();
    expect(source.closed).toBe(1);
  });

  test("refuse invalid sizes", () => {
    expect(() => windows([], { size: 0 })).toThrow(RangeError);
    expect(() => windows([], { size: 1, every: 0 })).toThrow(RangeError);
  });
});
