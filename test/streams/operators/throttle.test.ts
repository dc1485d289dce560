import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { collect, map, pipe, range, take, throttle, type ThrottleOptions } from "../../../src/streams/index.js";
import { pass, useFakeTime, watched } from "../support/fake-time.js";
import { failureOf } from "../support/failure-of.js";
import { tracked } from "../support/tracked-source.js";

useFakeTime();

const passedAt = (options: ThrottleOptions, count: number) =>
  collect(
    pipe(
      range(0),
      throttle<number>(options),
      take(count),
      map(() => performance.now()),
    ),
    { limit: count },
  );

describe("throttle", () => {
  test("lets a burst pass at once, and then one for each token", async () => {
    const start = performance.now();
    const times = watched(passedAt({ items: 2, perMs: 100, burst: 3 }, 7));
    await pass(1000);
    expect(times.value?.map((time) => time - start)).toEqual([0, 0, 0, 50, 100, 150, 200]);
  });

  test("passes at most items in each perMs after the burst", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 9 }),
        async (items, perMs, burst) => {
          const given = watched(passedAt({ items, perMs, burst }, 30));
          await pass(30 * (perMs + 1) + 1);
          const times = given.value ?? [];
          expect(times.length).toBe(30);
          times.forEach((from, first) =>
            times.slice(first).forEach((to, more) => {
              expect(more + 1).toBeLessThanOrEqual(burst + ((to - from) * items) / perMs + 1e-3);
            }),
          );
        },
      ),
      { numRuns: 50 },
    );
  });

  test("saves no more tokens than the burst", async () => {
    const stream = throttle(range(0), { items: 2, perMs: 100 });
    await stream.next();
    await stream.next();
    await pass(10_000);
    await stream.next();
    await stream.next();
    const third = watched(stream.next());
    await pass(49);
    expect(third.isSettled).toBe(false);
    await pass(1);
    expect(third.value?.value).toBe(4);
    await stream.return();
  });

  test("pulls the source when there is a token, not before", async () => {
    const source = tracked([1, 2, 3]);
    const stream = throttle(source.items, { items: 1, perMs: 100 });
    await stream.next();
    const second = watched(stream.next());
    await pass(99);
    expect(source.pulled).toBe(1);
    await pass(1);
    expect(second.value?.value).toBe(2);
    await stream.return();
    expect(source.closed).toBe(1);
  });

  test("ends its wait at once when it is closed", async () => {
    const stream = throttle(range(0), { items: 1, perMs: 100 });
    await stream.next();
    const parked = stream.next();
    expect(vi.getTimerCount()).toBe(1);
    await stream.return();
    expect(await parked).toEqual({ done: true, value: undefined });
    expect(vi.getTimerCount()).toBe(0);
  });

  test("passes on an error without delay", async () => {
    const error = new Error("broken");
    expect(await failureOf(throttle(tracked([], { failWith: error }).items, { items: 1, perMs: 9 }).next())).toBe(
      error,
    );
  });

  test("refuses invalid rates", () => {
    expect(() => throttle([], { items: 0, perMs: 1 })).toThrow(RangeError);
    expect(() => throttle([], { items: 1, perMs: 0 })).toThrow(RangeError);
    expect(() => throttle([], { items: 1, perMs: 1, burst: 0 })).toThrow(RangeError);
  });
});
