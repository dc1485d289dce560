import fc from "fast-check";
import { describe, expect, expectTypeOf, test } from "vitest";
import { collect, END, range, type Stream, zip } from "../../../src/streams/index.js";
import { failureOf } from "../support/failure-of.js";
import { tracked } from "../support/tracked-source.js";

const all = { limit: 100 };

describe("zip", () => {
  test("returns tuples as long as all sources have items", async () => {
    const arrays = fc.array(fc.array(fc.nat(), { maxLength: 6 }), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(arrays, fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }), async (inputs, slow) => {
        const sources = inputs.map((items, index) => tracked(items, { isSlow: slow[index] === true }));
        const length = Math.min(...inputs.map((items) => items.length));
        expect(await collect(zip(...sources.map(({ items }) => items)), all)).toEqual(
          Array.from({ length }, (_, at) => inputs.map((items) => items[at])),
        );
        for (const source of sources) {
          expect(source.pulled).toBeLessThanOrEqual(length + 1);
          expect(source.closed).toBeLessThanOrEqual(1);
        }
      }),
    );
  });

  test("returns a tuple without a promise if all sources have their item", () => {
    const given = zip([1, undefined], ["a", "b"]);
    expect([given.pull(), given.pull(), given.pull()]).toEqual([[1, "a"], [undefined, "b"], END]);
    expect(zip().pull()).toBe(END);
  });

  test("pulls all sources at once, and closes those that wait when one ends", async () => {
    const parked = tracked<number>([], { parksAtEnd: true });
    const short = tracked([1]);
    const given = zip(short.items, parked.items);
    const first = given.pull();
    expect([short.pulled, parked.pulled]).toEqual([1, 1]);
    await given.close();
    expect(await first).toBe(END);
    expect([short.closed, parked.closed]).toEqual([1, 1]);

    const other = tracked<number>([], { parksAtEnd: true });
    expect(await collect(zip(other.items, tracked([]).items), all)).toEqual([]);
    expect(other.closed).toBe(1);
  });

  test("closes the others, once, when one fails", async () => {
    const error = new Error("no");
    const long = tracked([1, 2, 3]);
    expect(await failureOf(collect(zip(long.items, tracked(["a"], { failWith: error }).items), all))).toBe(error);
    expect([long.pulled, long.closed]).toEqual([2, 1]);
  });

  test("infers a tuple", () => {
    expectTypeOf(zip([1], ["a"], range(0, 1))).toEqualTypeOf<Stream<[number, string, number]>>();
    expectTypeOf(zip([true], [Promise.resolve("a")])).toEqualTypeOf<Stream<[boolean, string]>>();
  });
});
