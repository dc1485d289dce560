import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { channel, collect, LimitExceededError, pipe, timeWindows } from "../../../src/streams/index.js";
import { failureOf } from "../support/failure-of.js";
import { pass, useFakeTime, watched } from "../support/fake-time.js";
import { tracked } from "../support/tracked-source.js";

const all = { limit: 1000 };
const timeOf = (time: number) => time;

/** A model that finds the items of each window: those that came before the first item at or after its end. */
function modelOf(times: readonly number[], sizeMs: number, everyMs: number) {
  const windows: { start: number; end: number; items: number[] }[] = [];
  const placed = new Set<number>();
  const inSome = new Set<number>();
  for (let start = -200 * everyMs; start <= 200 * everyMs; start += everyMs) {
    const end = start + sizeMs;
    const closedAt = times.findIndex((time) => time >= end);
    const items: number[] = [];
    times.forEach((time, index) => {
      if (time < start || time >= end) return;
      inSome.add(index);
      if (closedAt >= 0 && index > closedAt) return;
      placed.add(index);
      items.push(time);
    });
    if (items.length > 0) windows.push({ start, end, items });
  }
  return { windows, late: times.filter((_, index) => inSome.has(index) && !placed.has(index)) };
}

useFakeTime();

describe("timeWindows of the items' time", () => {
  test("hold the items from their start to their end, and report late ones", async () => {
    const times = fc.array(fc.integer({ min: -50, max: 150 }), { maxLength: 30 });
    const spans = fc.integer({ min: 1, max: 25 });
    await fc.assert(
      fc.asyncProperty(times, spans, spans, fc.boolean(), async (unsorted, sizeMs, everyMs, isSorted) => {
        const items = isSorted ? unsorted.toSorted((a, b) => a - b) : unsorted;
        const late: number[] = [];
        const given = await collect(
          timeWindows(items, { sizeMs, everyMs, timeOf, maxItems: 100, onLate: (item) => late.push(item) }),
          all,
        );
        const model = modelOf(items, sizeMs, everyMs);
        expect(given).toEqual(model.windows);
        expect(late).toEqual(model.late);
        if (isSorted) expect(late).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  test("come with the first item at or after their end, one after the other", async () => {
    const source = tracked([1, 2, 25, 31]);
    const stream = pipe(source.items, timeWindows({ sizeMs: 20, everyMs: 10, timeOf, maxItems: 9 }));
    expect((await stream.next()).value).toEqual({ start: -10, end: 10, items: [1, 2] });
    expect((await stream.next()).value).toEqual({ start: 0, end: 20, items: [1, 2] });
    expect(source.pulled).toBe(3);
    expect((await stream.next()).value).toEqual({ start: 10, end: 30, items: [25] });
    expect((await stream.next()).value).toEqual({ start: 20, end: 40, items: [25, 31] });
    expect((await stream.next()).value).toEqual({ start: 30, end: 50, items: [31] });
    expect((await stream.next()).done).toBe(true);
  });

  test("fail when a window would exceed maxItems, after the open windows", async () => {
    const source = tracked([1, 2, 3]);
    const stream = timeWindows(source.items, { sizeMs: 10, timeOf, maxItems: 2 });
    expect((await stream.next()).value).toEqual({ start: 0, end: 10, items: [1, 2] });
    expect(await failureOf(stream.next())).toBeInstanceOf(LimitExceededError);
    expect(source.closed).toBe(1);
  });

  test("come before an error, and refuse an item without a time", async () => {
    const error = new Error("broken");
    const stream = timeWindows(tracked([1, 12], { failWith: error }).items, { sizeMs: 10, timeOf, maxItems: 2 });
    expect((await stream.next()).value).toMatchObject({ start: 0, items: [1] });
    expect((await stream.next()).value).toMatchObject({ start: 10, items: [12] });
    expect(await failureOf(stream.next())).toBe(error);
    expect(await failureOf(collect(timeWindows([NaN], { sizeMs: 1, timeOf, maxItems: 1 }), all))).toBeInstanceOf(
      RangeError,
    );
  });
});

describe("timeWindows of the time of arrival", () => {
  test("come when their time is over, even if no item comes", async () => {
    vi.setSystemTime(12_300);
    const { sender, receiver } = channel<string>({ capacity: 10 });
    const stream = timeWindows(receiver, { sizeMs: 1000, maxItems: 10 });
    const first = watched(stream.next());
    sender.trySend("a");
    await pass(600);
    sender.trySend("b");
    await pass(99);
    expect(first.isSettled).toBe(false);
    await pass(1);
    expect(first.value?.value).toEqual({ start: 12_000, end: 13_000, items: ["a", "b"] });
    const second = watched(stream.next());
    await pass(5000);
    expect(second.isSettled).toBe(false);
    expect(vi.getTimerCount()).toBe(0);
    sender.trySend("c");
    await pass(1000);
    expect(second.value?.value).toEqual({ start: 18_000, end: 19_000, items: ["c"] });
    await stream.return();
  });

  test("overlap", async () => {
    vi.setSystemTime(10_000);
    const { sender, receiver } = channel<string>({ capacity: 10 });
    const given = watched(collect(timeWindows(receiver, { sizeMs: 1000, everyMs: 500, maxItems: 10 }), all));
    sender.trySend("a");
    await pass(600);
    sender.trySend("b");
    await pass(2000);
    sender.close();
    await pass(0);
    expect(given.value).toEqual([
      { start: 9500, end: 10_500, items: ["a"] },
      { start: 10_000, end: 11_000, items: ["a", "b"] },
      { start: 10_500, end: 11_500, items: ["b"] },
    ]);
  });

  test("leave no timer when they are closed, and end a pending next()", async () => {
    const { sender, receiver } = channel<string>({ capacity: 10 });
    const stream = timeWindows(receiver, { sizeMs: 1000, maxItems: 10 });
    const parked = stream.next();
    sender.trySend("a");
    await pass(1);
    expect(vi.getTimerCount()).toBe(1);
    await stream.return();
    expect(await parked).toEqual({ done: true, value: undefined });
    expect(vi.getTimerCount()).toBe(0);
  });
});
