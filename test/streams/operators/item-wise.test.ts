import { describe, expect, test } from "vitest";
import {
  collect,
  deferred,
  distinct,
  enumerate,
  filterMap,
  from,
  pipe,
  range,
  scan,
  skip,
  skipWhile,
  take,
  takeWhile,
  tap,
} from "../../../src/streams/index.js";
import type { Source } from "../../../src/streams/sources/from.js";
import type { Stream } from "../../../src/streams/stream.js";
import { failureOf } from "../support/failure-of.js";
import { tracked } from "../support/tracked-source.js";
import { until } from "../support/until.js";

// ../contract.test.ts checks their items for any source, how far they pull ahead, and what they close.
const all = { limit: 100 };

describe("the item-wise operators", () => {
  test("infer and work in both styles", async () => {
    const piped: (readonly [number, string])[] = await pipe(
      range(0),
      skip(2),
      skipWhile((n) => n < 4),
      filterMap((n) => (n % 2 === 0 ? `${n}` : undefined)),
      distinct(),
      scan((text, n) => text + n, ""),
      tap(() => undefined),
      takeWhile((text) => text.length < 4),
      enumerate(),
      collect(all),
    );
    expect(piped).toEqual([
      [0, "4"],
      [1, "46"],
      [2, "468"],
    ]);
    const isShort = (text: string): text is "ab" => text.length === 2;
    const typed: "ab"[] = await collect(takeWhile(["ab", "abc", "ab"], isShort), all);
    expect(typed).toEqual(["ab"]);
    expect(await collect(skip(range(0, 4), 3), all)).toEqual([3]);
  });

  test("begin anew for each source that an operator is given", async () => {
    const operators = [skip<number>(1), distinct<number>(), scan((sum: number, n: number) => sum + n, 0)] as const;
    for (const operator of operators) {
      expect(await collect(operator([1, 1, 2]), all)).toEqual(await collect(operator([1, 1, 2]), all));
    }
    const numbered = enumerate<string>();
    expect(await collect(numbered(["a"]), all)).toEqual([[0, "a"]]);
    expect(await collect(numbered(["a"]), all)).toEqual([[0, "a"]]);
  });

  test("throw an error or rejection of their function after the items before it, and close the source", async () => {
    const error = new Error("at 2");
    const throwAt2 = (n: number) => {
      if (n === 2) throw error;
      return true;
    };
    const rejectAt2 = async (n: number) => throwAt2(n);
    for (const f of [throwAt2, rejectAt2]) {
      const operators: readonly ((source: Source<number>) => Stream<unknown>)[] = [
        filterMap(f),
        takeWhile(f),
        tap(f),
        scan((_: boolean, n: number) => f(n), true),
        skipWhile((n: number) => f(n)),
      ];
      for (const operator of operators) {
        const source = tracked([1, 2, 3]);
        const stream = operator(source.items);
        expect(await failureOf(collect(stream, all))).toBe(error);
        expect(source).toMatchObject({ pulled: 2, closed: 1 });
        expect(await stream.next()).toEqual({ done: true, value: undefined });
      }
    }
  });
});

test("filterMap, drops undefined and nothing else", async () => {
  const values = [0, "", null, undefined, false, Number.NaN];
  expect(
    await collect(
      filterMap(values, (value) => value),
      all,
    ),
  ).toEqual([0, "", null, false, Number.NaN]);
});

test("takeWhile, closes its source with the first item that it does not keep", async () => {
  const source = tracked([1, 2, 9, 3]);
  const stream = takeWhile(source.items, async (n) => n < 5);
  expect((await stream.next()).value).toBe(1);
  expect((await stream.next()).value).toBe(2);
  expect(source).toMatchObject({ pulled: 2, closed: 0 });
  expect((await stream.next()).done).toBe(true);
  expect(source).toMatchObject({ pulled: 3, closed: 1 });
});

test("skip, refuses an invalid count", () => {
  for (const count of [-1, 0.5, Number.NaN, Infinity]) expect(() => skip([], count)).toThrow(RangeError);
});

test("skipWhile, does not call its function after the first item that it returns", async () => {
  const asked: number[] = [];
  const isSkipped = (n: number) => {
    asked.push(n);
    return n < 2;
  };
  expect(await collect(skipWhile([1, 2, 1, 0], isSkipped), all)).toEqual([2, 1, 0]);
  expect(asked).toEqual([1, 2]);
});

test("distinct, compares with the last returned item, so that a slow drift is not lost", async () => {
  expect(
    await collect(
      distinct([1, 1.4, 1.8, 2.2, 9], (a, b) => Math.abs(a - b) < 1),
      all,
    ),
  ).toEqual([1, 2.2, 9]);
  expect(await collect(distinct([undefined, undefined, Number.NaN, Number.NaN, 0, -0]), all)).toEqual([
    undefined,
    Number.NaN,
    0,
    -0,
  ]);
});

test("tap, returns an item when its function has settled, and aborts the function's signal on close", async () => {
  const gate = deferred<void>();
  let signal: AbortSignal | undefined;
  const source = tracked([1, 2]);
  const stream = tap(source.items, (_, context) => {
    ({ signal } = context);
    return gate.promise;
  });
  const parked = stream.next();
  await until(() => signal !== undefined);
  expect(signal?.aborted).toBe(false);
  await stream.return();
  expect(await parked).toEqual({ done: true, value: undefined });
  expect(signal?.aborted).toBe(true);
  expect(source.closed).toBe(1);
  gate.reject(new Error("nobody hears this, and nobody has to"));
});

test("the item-wise operators, return items without a promise if nothing waits", () => {
  const stream = pipe(
    from([5, 6, 6, 7, 8]),
    skip(1),
    distinct(),
    tap(() => undefined),
    scan((sum, n) => sum + n, 0),
    enumerate(),
    take(3),
  );
  expect([stream.pull(), stream.pull(), stream.pull()]).toEqual([
    [0, 6],
    [1, 13],
    [2, 21],
  ]);
});
