import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Watch, yieldToEventLoop } from "../../../src/streams/index.js";
import { abortListeners } from "../listeners.js";

describe("Watch.changed()", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
  afterEach(() => void vi.useRealTimers());

  test("Watch.changed(), resolves at once when the version is newer, otherwise with the next set", async () => {
    const watch = new Watch("a");
    await expect(watch.changed(-1)).resolves.toBe("changed");
    const waiting = watch.changed(watch.version);
    watch.set("b");
    await expect(waiting).resolves.toBe("changed");
    expect([watch.value, watch.version]).toEqual(["b", 1]);
    await expect(watch.changed(0)).resolves.toBe("changed");
  });

  test("Watch.changed(), times out and leaves neither timer, listener nor waiter", async () => {
    const watch = new Watch(0);
    const { signal } = new AbortController();
    const waiting = watch.changed(0, { signal, timeoutMs: 100 });
    expect([watch.waiting, vi.getTimerCount(), abortListeners(signal)]).toEqual([1, 1, 1]);
    await vi.advanceTimersByTimeAsync(100);
    await expect(waiting).resolves.toBe("timed-out");
    expect([watch.waiting, vi.getTimerCount(), abortListeners(signal)]).toEqual([0, 0, 0]);
    await expect(watch.changed(0, { timeoutMs: 2 ** 31 })).rejects.toThrow(RangeError);
  });

  test("Watch.changed(), rejects with the signal's reason and leaves neither timer, listener nor waiter", async () => {
    const watch = new Watch(0);
    const controller = new AbortController();
    const waiting = watch.changed(0, { signal: controller.signal, timeoutMs: 100 });
    controller.abort(new Error("gone"));
    await expect(waiting).rejects.toThrow("gone");
    expect([watch.waiting, vi.getTimerCount(), abortListeners(controller.signal)]).toEqual([0, 0, 0]);
    await expect(watch.changed(-1, { signal: controller.signal })).rejects.toThrow("gone");
  });

  test("Watch.changed(), wakes 10,000 waits with one set, none inside it, and leaves nothing", async () => {
    const watch = new Watch(0);
    const signals = Array.from({ length: 10_000 }, () => new AbortController().signal);
    let woken = 0;
    const all = Promise.all(
      signals.map(async (signal) => {
        await watch.changed(0, { signal, timeoutMs: 5000 });
        woken += 1;
      }),
    );
    expect([watch.waiting, vi.getTimerCount()]).toEqual([10_000, 10_000]);
    watch.set(1);
    expect([woken, watch.waiting, vi.getTimerCount()]).toEqual([0, 0, 0]);
    await all;
    expect(woken).toBe(10_000);
    expect(signals.every((signal) => abortListeners(signal) === 0)).toBe(true);
  });
});

test("Watch.close(), ends waits, keeps the last value, and refuses another", async () => {
  const watch = new Watch(1);
  const waiting = watch.changed(0);
  watch.close();
  watch.close();
  await expect(waiting).resolves.toBe("closed");
  await expect(watch.changed(0)).resolves.toBe("closed");
  await expect(watch.changed(-1)).resolves.toBe("changed");
  expect([watch.value, watch.isClosed]).toEqual([1, true]);
  expect(() => watch.set(2)).toThrow("Cannot set a value: the watch is closed");
});

test("Watch, its iterator ends a pending next() at return() and leaves no waiter", async () => {
  const watch = new Watch(1);
  const receiver = watch[Symbol.asyncIterator]();
  await expect(receiver.next()).resolves.toEqual({ done: false, value: 1 });
  const parked = receiver.next();
  await yieldToEventLoop();
  expect(watch.waiting).toBe(1);
  await receiver.return?.();
  await expect(parked).resolves.toEqual({ done: true, value: undefined });
  expect(watch.waiting).toBe(0);
  watch.set(2);
  await expect(receiver.next()).resolves.toEqual({ done: true, value: undefined });
});

test("Watch, every receiver sees a rising selection of the values, from the current one to the last", async () => {
  const step = fc.constantFrom("set", "turn", "join");
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const watch = new Watch(0);
      const receivers: { joinedAt: number; seen: number[]; over: Promise<void> }[] = [];
      const join = () => {
        const seen: number[] = [];
        const over = (async () => {
          for await (const value of watch) seen.push(value);
        })();
        receivers.push({ joinedAt: watch.value, seen, over });
      };
      join();
      for (const one of steps) {
        if (one === "set") watch.set(watch.value + 1);
        else if (one === "join") join();
        else await yieldToEventLoop();
      }
      watch.close();
      for (const { joinedAt, seen, over } of receivers) {
        await over;
        expect(seen[0]).toBeGreaterThanOrEqual(joinedAt);
        expect(seen).toEqual([...new Set(seen)].sort((one, other) => one - other));
        expect(seen.at(-1)).toBe(watch.value);
      }
      expect(watch.waiting).toBe(0);
    }),
  );
});
