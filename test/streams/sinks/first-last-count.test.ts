import { describe, expect, test } from "vitest";
import {
  count,
  filter,
  first,
  last,
  pipe,
  range,
  tryCollect,
  LimitExceededError,
  type Result,
} from "../../../src/streams/index.js";
import { abortListeners } from "../listeners.js";
import { failureOf } from "../support/failure-of.js";
import { tracked } from "../support/tracked-source.js";
import { until } from "../support/until.js";

type Sink = (source: AsyncIterable<number>, signal?: AbortSignal) => Promise<unknown>;

const sinks: readonly (readonly [string, Sink])[] = [
  ["count", count],
  ["first", first],
  ["last", last],
];

describe("count, first and last", () => {
  test("return the number, the first and the last item, in both styles", async () => {
    expect(await count([7, 8, 9])).toBe(3);
    expect(await first([7, 8, 9])).toBe(7);
    expect(await last([7, 8, 9])).toBe(9);
    expect(
      await pipe(
        range(0, 10),
        filter((n) => n > 3),
        count(),
      ),
    ).toBe(6);
    expect(
      await pipe(
        range(0, 10),
        filter((n) => n > 3),
        first(),
      ),
    ).toBe(4);
    expect(
      await pipe(
        range(0, 10),
        filter((n) => n < 3),
        last(),
      ),
    ).toBe(2);
  });

  test("return 0 and undefined without items", async () => {
    expect(await count([])).toBe(0);
    expect(await first([])).toBeUndefined();
    expect(await last([])).toBeUndefined();
  });

  test("first pulls one item and closes the source", async () => {
    const source = tracked([1, 2, 3]);
    expect(await first(source.items)).toBe(1);
    expect([source.pulled, source.closed]).toEqual([1, 1]);
  });

  test("first rejects with an error of the source's closing", async () => {
    const failing: AsyncIterable<number> = {
      [Symbol.asyncIterator]: () => ({
        next: () => Promise.resolve({ done: false, value: 1 }),
        return: () => Promise.reject(new Error("cleanup")),
      }),
    };
    await expect(first(failing)).rejects.toThrow("cleanup");
  });

  test.each(sinks)("%s rejects with the source's error", async (_, sink) => {
    await expect(sink(tracked<number>([], { failWith: new Error("source") }).items)).rejects.toThrow("source");
  });

  test.each(sinks)("%s closes a waiting source when the signal aborts", async (_, sink) => {
    const source = tracked<number>([], { parksAtEnd: true });
    const controller = new AbortController();
    const refused = failureOf(sink(source.items, controller.signal));
    await until(() => source.pulled === 1);
    controller.abort(new Error("enough"));
    expect(await refused).toEqual(new Error("enough"));
    expect(source.closed).toBe(1);
    expect(abortListeners(controller.signal)).toBe(0);
  });
});

describe("tryCollect", () => {
  const ok = (value: number): Result<number> => ({ ok: true, value });
  const bad: Result<number> = { ok: false, error: new Error("bad") };

  test("returns all values as one result", async () => {
    expect(await tryCollect([ok(1), ok(2)], { limit: 2 })).toEqual({ ok: true, value: [1, 2] });
    expect(await pipe([] as Result<number>[], tryCollect({ limit: 0 }))).toEqual({ ok: true, value: [] });
  });

  test("returns the first error, and closes the source", async () => {
    const source = tracked([ok(1), bad, ok(3)]);
    expect(await tryCollect(source.items, { limit: 10 })).toBe(bad);
    expect([source.pulled, source.closed]).toEqual([2, 1]);
  });

  test("rejects when there are more values than the limit", async () => {
    const source = tracked([ok(1), ok(2), ok(3)]);
    await expect(tryCollect(source.items, { limit: 2 })).rejects.toThrow(LimitExceededError);
    expect(source.closed).toBe(1);
    await expect(tryCollect([], { limit: Number.NaN })).rejects.toThrow(RangeError);
  });

  test("rejects with an error of the source itself, and when the signal aborts", async () => {
    await expect(tryCollect(tracked([ok(1)], { failWith: new Error("source") }).items, { limit: 5 })).rejects.toThrow(
      "source",
    );
    await expect(tryCollect([ok(1)], { limit: 5 }, AbortSignal.abort(new Error("enough")))).rejects.toThrow("enough");
  });
});
