import { describe, expect, expectTypeOf, test } from "vitest";
import { collect, concat, END, from, range, type Stream } from "../../../src/streams/index.js";
import { failureOf } from "../support/failure-of.js";
import { tracked } from "../support/tracked-source.js";

const all = { limit: 100 };

describe("concat", () => {
  test("returns items without a promise if the sources do not wait", () => {
    const given = concat([1], [], range(2, 3));
    expect([given.pull(), given.pull(), given.pull(), given.pull()]).toEqual([1, 2, END, END]);
    expect(concat().pull()).toBe(END);
  });

  test("pulls no source before its turn", async () => {
    const first = tracked([1]);
    const touched: string[] = [];
    const second = {
      get [Symbol.iterator]() {
        touched.push("iterator");
        return () => [2][Symbol.iterator]();
      },
    };
    const given = concat(first.items, second);
    expect(await given.pull()).toBe(1);
    expect(touched).toEqual([]);
    expect(await given.pull()).toBe(2);
  });

  test("closes the current source and the streams after it, once", async () => {
    const ended = tracked([1]);
    const running = tracked([2, 3]);
    const waiting = tracked([4]);
    const last = from([5]);
    const given = concat(ended.items, running.items, waiting.items, last);
    expect([await given.pull(), await given.pull()]).toEqual([1, 2]);
    await given.close();
    await given.close();
    expect([ended.closed, running.closed, waiting.closed, waiting.pulled]).toEqual([0, 1, 0, 0]);
    expect(last.pull()).toBe(END);
  });

  test("closes the sources after one that fails", async () => {
    const error = new Error("no");
    const last = from([5]);
    expect(await failureOf(collect(concat([1], tracked([2], { failWith: error }).items, last), all))).toBe(error);
    expect(last.pull()).toBe(END);
  });

  test("handles 100000 empty sources without a chain of promises or a deep stack", async () => {
    const sources = Array.from({ length: 100_000 }, (_, index) => (index % 50_000 === 0 ? [index] : []));
    expect(await collect(concat(...sources), all)).toEqual([0, 50_000]);
  });

  test("infers one item type, or a union", () => {
    expectTypeOf(concat([1], range(0, 1))).toEqualTypeOf<Stream<number>>();
    expectTypeOf(concat([1], ["a"])).toEqualTypeOf<Stream<number | string>>();
    expectTypeOf(concat([true], [Promise.resolve(1)])).toEqualTypeOf<Stream<boolean | number>>();
  });
});
