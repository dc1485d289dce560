import fc from "fast-check";
import { describe, expect, expectTypeOf, test } from "vitest";
import { END, interval, range, type Selected, select, type Stream, take } from "../../../src/streams/index.js";
import { failureOf } from "../support/failure-of.js";
import { tracked } from "../support/tracked-source.js";

describe("select", () => {
  test("names the source of each item, and takes ready sources in turn", () => {
    const given = select({ a: [1, 2, 3], b: ["x"] });
    expect(Array.from({ length: 5 }, () => given.pull())).toEqual([
      { branch: "a", item: 1 },
      { branch: "b", item: "x" },
      { branch: "a", item: 2 },
      { branch: "a", item: 3 },
      END,
    ]);
  });

  test("loses no item, whichever branch is taken and however slow each is", async () => {
    const anyItems = fc.array(fc.nat(), { maxLength: 10 });
    await fc.assert(
      fc.asyncProperty(anyItems, anyItems, fc.boolean(), fc.boolean(), async (a, b, isSlowA, isSlowB) => {
        const got: { a: number[]; b: number[] } = { a: [], b: [] };
        const branches = { a: tracked(a, { isSlow: isSlowA }).items, b: tracked(b, { isSlow: isSlowB }).items };
        for await (const { branch, item } of select(branches)) got[branch].push(item);
        expect(got).toEqual({ a, b });
      }),
    );
  });

  test("takes the first item to come; a slow branch keeps its item for its turn", async () => {
    const got: string[] = [];
    for await (const { branch } of select({ tick: take(interval(5), 2), number: range(0, 3) })) got.push(branch);
    expect(got).toEqual(["number", "number", "number", "tick", "tick"]);
  });

  test("closes every branch, once, when a loop breaks off and when one fails", async () => {
    const branches = [tracked([1, 2]), tracked<number>([], { parksAtEnd: true })] as const;
    for await (const _ of select({ a: branches[0].items, b: branches[1].items })) break;
    expect(branches.map(({ closed }) => closed)).toEqual([1, 1]);

    const error = new Error("no");
    const other = tracked<number>([], { parksAtEnd: true });
    const given = select({ a: tracked([], { failWith: error }).items, b: other.items });
    expect(await failureOf(given.next())).toBe(error);
    expect(other.closed).toBe(1);
  });

  test("infers a union that `branch` discriminates; numeric names are strings", () => {
    const given = select({ a: [1], b: ["x"] });
    expectTypeOf(given).toEqualTypeOf<
      Stream<{ readonly branch: "a"; readonly item: number } | { readonly branch: "b"; readonly item: string }>
    >();
    const f = (one: Selected<{ a: number[]; b: string[] }>) => (one.branch === "a" ? one.item.toFixed() : one.item);
    expectTypeOf(f).returns.toEqualTypeOf<string>();
    const numbered = select({ 0: [1] });
    expectTypeOf(numbered).toEqualTypeOf<Stream<{ readonly branch: "0"; readonly item: number }>>();
    expect(numbered.pull()).toEqual({ branch: "0", item: 1 });
  });
});
