import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { END, from, fromPull, map, prefetch, range } from "../../../src/streams/index.js";
import { failureOf } from "../support/failure-of.js";
import { tracked } from "../support/tracked-source.js";
import { turns } from "../support/until.js";

const numbers = (length: number) => Array.from({ length }, (_, index) => index);

describe("prefetch", () => {
  test("pulls n items ahead, no more and no fewer, from the first pull on", async () => {
    const plan = fc.record({ size: fc.nat(20), n: fc.integer({ min: 1, max: 6 }), isSlow: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(plan, fc.infiniteStream(fc.nat(20)), async ({ size, n, isSlow }, random) => {
        const source = tracked(numbers(size), { isSlow });
        const given = prefetch(source.items, n);
        await turns(2);
        expect(source.pulled).toBe(0);
        for (let count = 1; count <= size; count += 1) {
          expect(await given.pull()).toBe(count - 1);
          await turns(random.next().value);
          expect(source.pulled - count).toBeLessThanOrEqual(n);
        }
        expect(await given.pull()).toBe(END);
        expect(source.closed).toBe(0);
      }),
      { numRuns: 60 },
    );
    const source = tracked(numbers(20));
    const given = prefetch(source.items, 4);
    await given.pull();
    await turns(2);
    expect(source.pulled).toBe(5);
    // Each item that is taken makes room for one.
    await given.pull();
    await turns(2);
    expect(source.pulled).toBe(6);
    await given.close();
    expect([source.pulled, source.closed]).toEqual([6, 1]);
  });

  test("returns an item that is there without a promise", () => {
    const given = prefetch(range(0, 3), 2);
    expect([given.pull(), given.pull(), given.pull(), given.pull()]).toEqual([0, 1, 2, END]);
  });

  test("throws an error once, after the items before it", async () => {
    const error = new Error("no");
    const source = tracked([1, 2], { failWith: error });
    const given = prefetch(source.items, 8);
    expect(await given.pull()).toBe(1);
    await turns(2);
    expect(source.pulled).toBe(3);
    expect(await given.pull()).toBe(2);
    expect(await failureOf((async () => given.pull())())).toBe(error);
    expect(await given.pull()).toBe(END);
  });

  test("close() ends a pending pull and drops the buffer", async () => {
    const source = tracked<number>([], { parksAtEnd: true });
    const given = prefetch(source.items, 2);
    const parked = given.pull();
    await turns(1);
    await given.close();
    expect(await parked).toBe(END);
    expect(source.closed).toBe(1);
    const full = prefetch(range(0), 4);
    expect(full.pull()).toBe(0);
    await full.close();
    expect(full.pull()).toBe(END);
  });

  test("lets the source work while the consumer works", async () => {
    let at = 0;
    const source = fromPull<number>({ pull: async () => ({ done: false, value: (at += 1) }) });
    const given = prefetch(source, 3);
    expect(await given.pull()).toBe(1);
    await turns(3);
    // Items that were pulled ahead are there at once.
    expect([given.pull(), given.pull(), given.pull()]).toEqual([2, 3, 4]);
    await given.close();
  });

  test("a large buffer over a source that is always ready yields to the event loop", async () => {
    let pulled = 0;
    const given = prefetch(
      map(range(0), (n) => (pulled += 1) && n),
      1_000_000,
    );
    expect(given.pull()).toBe(0);
    const inTurn = pulled;
    expect(inTurn).toBeLessThan(1_000_001);
    while (pulled < 1_000_001) await turns(1);
    await turns(2);
    expect(pulled).toBe(1_000_001);
    await given.close();
  });

  test("close() while a large buffer waits for the event loop pulls nothing more", async () => {
    let pulled = 0;
    const given = prefetch(
      map(range(0), (n) => (pulled += 1) && n),
      10_000_000,
    );
    expect(given.pull()).toBe(0);
    await given.close();
    const atClose = pulled;
    await turns(3);
    expect(pulled).toBe(atClose);
  });

  test.each([0, -1, 1.5, NaN, Infinity])("refuses to pull %s ahead", (n) => {
    expect(() => prefetch(from([1]), n)).toThrow(RangeError);
  });
});
