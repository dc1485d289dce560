import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { abortable, createYielder, deferred, sleep, yieldToEventLoop } from "../../../src/streams/index.js";
import { abortListeners } from "../listeners.js";

describe("abortable", () => {
  test("abortable, settles as the promise does and leaves no listener", async () => {
    const { signal } = new AbortController();
    await expect(abortable(Promise.resolve(7), signal)).resolves.toBe(7);
    await expect(abortable(Promise.reject(new Error("broken")), signal)).rejects.toThrow("broken");
    await expect(abortable(Promise.resolve(8))).resolves.toBe(8);
    expect(abortListeners(signal)).toBe(0);
  });

  test("abortable, rejects with the signal's reason and drops a later rejection of the promise", async () => {
    const controller = new AbortController();
    const work = deferred<number>();
    const waiting = abortable(work.promise, controller.signal);
    expect(abortListeners(controller.signal)).toBe(1);
    const reason = new Error("the call ended");
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    expect(abortListeners(controller.signal)).toBe(0);
    // An unhandled rejection would fail the run.
    work.reject(new Error("too late"));
    await yieldToEventLoop();
  });

  test("abortable, rejects at once when the signal has aborted, even if the promise has settled", async () => {
    const signal = AbortSignal.abort(new Error("before"));
    await expect(abortable(Promise.resolve(1), signal)).rejects.toThrow("before");
    await expect(abortable(Promise.reject(new Error("loser")), signal)).rejects.toThrow("before");
    expect(abortListeners(signal)).toBe(0);
    await yieldToEventLoop();
  });
});

describe("sleep", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
  afterEach(() => void vi.useRealTimers());

  test("sleep, resolves after its time and leaves no listener", async () => {
    const { signal } = new AbortController();
    let isOver = false;
    const sleeping = sleep(1000, signal).then(() => (isOver = true));
    await vi.advanceTimersByTimeAsync(999);
    expect(isOver).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    await sleeping;
    expect(abortListeners(signal)).toBe(0);
  });

  test("sleep, rejects on abort and leaves neither timer nor listener", async () => {
    const controller = new AbortController();
    const sleeping = sleep(1000, controller.signal);
    controller.abort(new Error("woken"));
    await expect(sleeping).rejects.toThrow("woken");
    await expect(sleep(1000, controller.signal)).rejects.toThrow("woken");
    expect(vi.getTimerCount()).toBe(0);
    expect(abortListeners(controller.signal)).toBe(0);
  });

  test("sleep, refuses a time that a timer does not accept", async () => {
    for (const ms of [-1, Number.NaN, 2 ** 31, Infinity]) await expect(sleep(ms)).rejects.toThrow(RangeError);
    expect(vi.getTimerCount()).toBe(0);
  });
});

test("createYielder, yields to the event loop once its budget is spent, and then begins anew", async () => {
  let nowMs = 0;
  const yielder = createYielder(10, () => nowMs);
  expect(yielder()).toBeUndefined();
  nowMs = 9;
  expect(yielder()).toBeUndefined();
  nowMs = 10;
  let hadTurn = false;
  setImmediate(() => (hadTurn = true));
  await yielder();
  expect(hadTurn).toBe(true);
  expect(yielder()).toBeUndefined();
  nowMs = 20;
  expect(yielder()).toBeInstanceOf(Promise);
});

test("createYielder, lets an abort end a loop that otherwise never waits", async () => {
  const yielder = createYielder(1);
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 5);
  while (!controller.signal.aborted) await yielder();
  expect(controller.signal.aborted).toBe(true);
});
