import { describe, expect, expectTypeOf, test } from "vitest";
import { collect, deferred, END, flatMap, from, range, type Source, type Stream } from "../../../src/streams/index.js";
import { failureOf } from "../support/failure-of.js";
import { tracked } from "../support/tracked-source.js";
import { turns } from "../support/until.js";

const all = { limit: 100 };

describe("flatMap", () => {
  test("accepts arrays, strings, async iterables, streams and promises of them", async () => {
    const makers: readonly ((n: number) => Source<unknown> | Promise<Source<unknown>>)[] = [
      (n) => [n, n],
      () => "ab",
      (n) => tracked([n]).items,
      (n) => range(0, n),
      async (n) => [n],
    ];
    expect(
      await collect(
        flatMap(range(1, 6), (n) => makers[n - 1]?.(n) ?? []),
        all,
      ),
    ).toEqual([1, 1, "a", "b", 3, 0, 1, 2, 3, 5]);
  });

  test("returns an item without a promise if nothing waits", () => {
    const given = flatMap([1, 2], (n) => [n, -n]);
    expect([given.pull(), given.pull(), given.pull(), given.pull(), given.pull()]).toEqual([1, -1, 2, -2, END]);
  });

  test("keeps one source open at a time, and pulls the next item when that has ended", async () => {
    const outer = tracked([1, 2, 3]);
    const inners = [tracked(["a"]), tracked(["b"]), tracked(["c"])];
    const given = flatMap(outer.items, (n) => inners[n - 1]?.items ?? []);
    expect(await given.pull()).toBe("a");
    await turns(2);
    expect([outer.pulled, ...inners.map(({ pulled }) => pulled)]).toEqual([1, 1, 0, 0]);
    await given.close();
    expect([outer.closed, ...inners.map(({ closed }) => closed)]).toEqual([1, 1, 0, 0]);
  });

  test("closes the inner source first, then the outer one", async () => {
    const order: string[] = [];
    async function* noting(name: string) {
      try {
        for (;;) yield name;
      } finally {
        order.push(name);
      }
    }
    const given = flatMap(noting("outer"), () => noting("inner"));
    await given.pull();
    await given.close();
    expect(order).toEqual(["inner", "outer"]);
  });

  test("closes both when the inner source fails, and the outer one when f does", async () => {
    const error = new Error("no");
    const outer = tracked([1, 2]);
    const inner = tracked(["a"], { failWith: error });
    const given = flatMap(outer.items, () => inner.items);
    expect(await given.pull()).toBe("a");
    expect(await failureOf((async () => given.pull())())).toBe(error);
    expect(await given.pull()).toBe(END);
    expect([outer.pulled, outer.closed]).toEqual([1, 1]);

    const other = tracked([1, 2]);
    expect(
      await failureOf(
        collect(
          flatMap(other.items, () => Promise.reject(error)),
          all,
        ),
      ),
    ).toBe(error);
    expect([other.pulled, other.closed]).toEqual([1, 1]);
  });

  test("closes a source whose promise resolves after the close", async () => {
    const making = deferred<Stream<number>>();
    let signal: AbortSignal | undefined;
    const given = flatMap([1], (_, context) => {
      signal = context.signal;
      return making.promise;
    });
    const parked = given.pull();
    await given.close();
    expect(await parked).toBe(END);
    expect(signal?.aborted).toBe(true);
    const late = tracked([1]);
    const stream = from(late.items);
    making.resolve(stream);
    await turns(2);
    expect(await stream.pull()).toBe(END);
    expect(late.pulled).toBe(0);
  });

  test("infers the items of the sources", () => {
    expectTypeOf(flatMap([1], (n) => [String(n)])).toEqualTypeOf<Stream<string>>();
    expectTypeOf(flatMap([1], async (n) => range(0, n))).toEqualTypeOf<Stream<number>>();
  });
});
