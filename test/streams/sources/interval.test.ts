import { describe, expect, test, vi } from "vitest";
import { collect, forEach, interval, pipe, take } from "../../../src/streams/index.js";
import { pass, useFakeTime, watched } from "../support/fake-time.js";

useFakeTime();

describe("interval", () => {
  test("counts its ticks, the first after ms", async () => {
    const start = performance.now();
    const seen: [number, number][] = [];
    const done = pipe(
      interval(100),
      take(3),
      forEach((tick) => void seen.push([tick, performance.now() - start])),
    );
    await pass(300);
    await done;
    expect(seen).toEqual([
      [0, 100],
      [1, 200],
      [2, 300],
    ]);
  });

  test("returns the latest tick to a late pull, and stays in step", async () => {
    const ticks = interval(100);
    const first = watched(ticks.next());
    await pass(100);
    expect(first.value?.value).toBe(0);
    await pass(370);
    expect((await ticks.next()).value).toBe(3);
    const next = watched(ticks.next());
    await pass(29);
    expect(next.isSettled).toBe(false);
    await pass(1);
    expect(next.value?.value).toBe(4);
    await ticks.return();
  });

  test("runs a timer only during a wait, and ends the wait when it is closed", async () => {
    const ticks = interval(100);
    expect(vi.getTimerCount()).toBe(0);
    const parked = ticks.next();
    expect(vi.getTimerCount()).toBe(1);
    await ticks.return();
    expect(await parked).toEqual({ done: true, value: undefined });
    expect(vi.getTimerCount()).toBe(0);
    expect(await collect(ticks, { limit: 1 })).toEqual([]);
  });

  test("refuses an invalid time", () => {
    expect(() => interval(0)).toThrow(RangeError);
    expect(() => interval(NaN)).toThrow(RangeError);
    expect(() => interval(2 ** 31)).toThrow(RangeError);
  });
});
