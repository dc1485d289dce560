import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { batch, channel, chunks, collect, filter, forEach, map, pipe, range } from "../../../src/streams/index.js";
import { failureOf } from "../support/failure-of.js";
import { pass, useFakeTime, watched } from "../support/fake-time.js";
import { tracked } from "../support/tracked-source.js";
import { until } from "../support/until.js";

const all = { limit: 10_000 };

function chunksOf<T>(items: readonly T[], size: number): T[][] {
  const chunked: T[][] = [];
  for (let at = 0; at < items.length; at += size) chunked.push(items.slice(at, at + size));
  return chunked;
}

function batchesOf(items: readonly number[], maxItems: number, maxBytes: number): number[][] {
  const batches: number[][] = [];
  let open: number[] = [];
  const total = () => open.reduce((sum, size) => sum + size, 0);
  const give = () => {
    if (open.length > 0) batches.push(open);
    open = [];
  };
  for (const item of items) {
    if (total() + item > maxBytes) give();
    open.push(item);
    if (open.length === maxItems || total() >= maxBytes) give();
  }
  give();
  return batches;
}

const sizes = fc.array(fc.nat(12), { maxLength: 60 });
const paces = fc.constantFrom("now", "later");
const asSource = (items: readonly number[], pace: string) => (pace === "now" ? items : tracked(items).items);

useFakeTime();

describe("chunks", () => {
  test("are slices of the items", async () => {
    await fc.assert(
      fc.asyncProperty(sizes, fc.integer({ min: 1, max: 9 }), paces, async (items, size, pace) => {
        expect(await collect(chunks(asSource(items, pace), size), all)).toEqual(chunksOf(items, size));
      }),
    );
  });

  test("work in both styles, and infer their type", async () => {
    const sums: number[] = await pipe(
      range(0, 5),
      chunks(2),
      map((some) => some.reduce((sum, n) => sum + n, 0)),
      collect(all),
    );
    expect(sums).toEqual([1, 5, 4]);
    expect(() => chunks(0)([])).toThrow(RangeError);
  });

  test("pull nothing between two chunks", async () => {
    const source = tracked([1, 2, 3, 4, 5]);
    const stream = chunks(source.items, 2);
    expect(await stream.next()).toEqual({ done: false, value: [1, 2] });
    expect(source.pulled).toBe(2);
  });

  test("close the source when they are closed, and drop the held items", async () => {
    const source = tracked([1, 2, 3], { parksAtEnd: true });
    const stream = chunks(source.items, 2);
    await stream.next();
    const parked = stream.next();
    await stream.return();
    expect(await parked).toEqual({ done: true, value: undefined });
    expect(await stream.next()).toEqual({ done: true, value: undefined });
    expect(source.closed).toBe(1);
  });

  test("return the items before an error, throw the error once, and then end", async () => {
    const error = new Error("broken");
    const stream = chunks(tracked([1, 2, 3], { failWith: error }).items, 2);
    expect((await stream.next()).value).toEqual([1, 2]);
    expect((await stream.next()).value).toEqual([3]);
    expect(await failureOf(stream.next())).toBe(error);
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });
});

describe("batch", () => {
  test("is full at a count or at a size, whichever comes first", async () => {
    await fc.assert(
      fc.asyncProperty(
        sizes,
        fc.integer({ min: 1, max: 7 }),
        fc.integer({ min: 1, max: 20 }),
        paces,
        async (items, maxItems, maxBytes, pace) => {
          const batches = batch(asSource(items, pace), { maxItems, maxBytes, sizeOf: (size) => size });
          expect(await collect(batches, all)).toEqual(batchesOf(items, maxItems, maxBytes));
        },
      ),
    );
  });

  test("returns an item that fills the next batch alone without another pull", async () => {
    const source = tracked([1, 5, 0], { parksAtEnd: true });
    const stream = batch(source.items, { maxItems: 10, maxBytes: 5, sizeOf: (size) => size });
    expect((await stream.next()).value).toEqual([1]);
    expect((await stream.next()).value).toEqual([5]);
    expect(source.pulled).toBe(2);
    await stream.return();
  });

  test("infers its items in a pipe", async () => {
    const batches = await pipe(
      ["aa", "b", "ccc"],
      batch({ maxItems: 10, maxBytes: 3, sizeOf: (word) => word.length }),
      collect(all),
    );
    expect(batches).toEqual([["aa", "b"], ["ccc"]]);
  });

  test("refuses invalid bounds", () => {
    expect(() => batch([1], { maxItems: 0 })).toThrow(RangeError);
    expect(() => batch([1], { maxItems: 1, maxBytes: 0, sizeOf: () => 1 })).toThrow(RangeError);
    expect(() => batch([1], { maxItems: 1, maxBytes: 1 } as never)).toThrow(RangeError);
    expect(() => batch([1], { maxItems: 1, maxWaitMs: -1 })).toThrow(RangeError);
  });

  test("returns its items when the first one has waited maxWaitMs, and keeps the pending pull", async () => {
    const { sender, receiver } = channel<number>({ capacity: 10 });
    const stream = batch(receiver, { maxItems: 10, maxWaitMs: 100 });
    const given = watched(stream.next());
    await pass(500);
    sender.trySend(1);
    await pass(60);
    sender.trySend(2);
    await pass(39);
    expect(given.isSettled).toBe(false);
    await pass(1);
    expect(given.value?.value).toEqual([1, 2]);
    expect(vi.getTimerCount()).toBe(0);
    sender.trySend(3);
    const next = watched(stream.next());
    await pass(100);
    expect(next.value?.value).toEqual([3]);
    await stream.return();
  });

  test("loses no item that an iterator returns between two batches", async () => {
    let answer: ((item: number) => void) | undefined;
    let asked = 0;
    const source = {
      [Symbol.asyncIterator]: () => ({
        next: () => {
          asked += 1;
          return new Promise<IteratorResult<number>>((resolve) => {
            answer = (value) => resolve({ done: false, value });
          });
        },
      }),
    };
    const stream = batch(source, { maxItems: 2, maxWaitMs: 10 });
    const first = watched(stream.next());
    answer?.(1);
    await pass(10);
    expect(first.value?.value).toEqual([1]);
    answer?.(2);
    await pass(1000);
    expect(asked).toBe(2);
    const second = watched(stream.next());
    await pass(0);
    answer?.(3);
    await pass(0);
    expect(second.value?.value).toEqual([2, 3]);
    expect(asked).toBe(3);
    await stream.return();
  });

  test("takes the items that are there when maxWaitMs is 0", async () => {
    const { sender, receiver } = channel<number>({ capacity: 10 });
    [1, 2, 3].forEach((n) => sender.trySend(n));
    const stream = batch(receiver, { maxItems: 10, maxWaitMs: 0 });
    expect((await stream.next()).value).toEqual([1, 2, 3]);
    await stream.return();
  });

  test("starts no timer while the source has items at once", async () => {
    const timers = vi.spyOn(globalThis, "setTimeout");
    const batches = await collect(batch(range(0, 1000), { maxItems: 100, maxWaitMs: 10 }), all);
    expect(batches.length).toBe(10);
    expect(timers).not.toHaveBeenCalled();
    timers.mockRestore();
  });

  test("makes no promise for the items of a source that has them at once", () => {
    const stream = batch(range(0, 10), { maxItems: 4 });
    const waker = { wake: () => undefined, resume: () => undefined };
    expect(stream.poll(waker)).toEqual([0, 1, 2, 3]);
    expect(stream.poll(waker)).toEqual([4, 5, 6, 7]);
    expect(stream.poll(waker)).toEqual([8, 9]);
  });

  test("clears its timer when it is closed, when it is full and when it fails", async () => {
    const { sender, receiver } = channel<number>({ capacity: 10 });
    const stream = batch(receiver, { maxItems: 2, maxWaitMs: 1000 });
    sender.trySend(1);
    const full = watched(stream.next());
    await pass(1);
    expect(vi.getTimerCount()).toBe(1);
    sender.trySend(2);
    await pass(0);
    expect(full.value?.value).toEqual([1, 2]);
    expect(vi.getTimerCount()).toBe(0);
    sender.trySend(3);
    const rest = watched(stream.next());
    await pass(1);
    sender.fail(new Error("gone"));
    await pass(0);
    expect(rest.value?.value).toEqual([3]);
    expect(vi.getTimerCount()).toBe(0);
    expect(await failureOf(stream.next())).toMatchObject({ message: "gone" });
  });

  test("returns the batch before an error of sizeOf, and closes the source", async () => {
    const source = tracked([1, 2, 3, 4]);
    const sizeOf = (item: number) => {
      if (item === 3) throw new Error("no size");
      return 1;
    };
    const stream = batch(source.items, { maxItems: 10, maxBytes: 10, sizeOf });
    expect((await stream.next()).value).toEqual([1, 2]);
    expect(await failureOf(stream.next())).toMatchObject({ message: "no size" });
    expect(source.closed).toBe(1);
  });

  test("yields to the event loop within a batch that takes long to fill", async () => {
    vi.useRealTimers();
    let hasFired = false;
    setTimeout(() => (hasFired = true), 1);
    const slow = map(range(0), (n) => {
      const end = performance.now() + 0.02;
      while (performance.now() < end);
      return n;
    });
    const seen = filter(slow, () => !hasFired);
    const filled = forEach(chunks(seen, 10_000_000), () => undefined);
    await until(() => hasFired);
    await seen.close();
    await filled;
    expect(hasFired).toBe(true);
  });
});
