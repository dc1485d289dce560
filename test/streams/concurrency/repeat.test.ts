import { describe, expect, test } from "vitest";
import {
  deferred,
  repeat,
  type RepeatOptions,
  type Timers,
  Watch,
  yieldToEventLoop,
} from "../../../src/streams/index.js";
import { abortListeners } from "../listeners.js";

/** Timers that fire when the test says so. */
function handTimers(): Timers & { readonly waits: readonly number[]; fire(): void } {
  const waits: number[] = [];
  let pending: (() => void) | undefined;
  return {
    waits,
    monotonicMs: () => 0,
    startTimer(ms, onTime) {
      waits.push(ms);
      pending = onTime;
      return () => (pending = undefined);
    },
    fire() {
      const due = pending;
      pending = undefined;
      due?.();
    },
  };
}

function start(
  step: (count: number) => Promise<number | void>,
  options: Partial<RepeatOptions> = {},
): {
  readonly timers: ReturnType<typeof handTimers>;
  readonly stop: AbortController;
  readonly errors: unknown[];
  readonly done: Promise<void>;
  steps(): number;
} {
  const timers = handTimers();
  const stop = new AbortController();
  const errors: unknown[] = [];
  let count = 0;
  const done = repeat(
    () => step((count += 1)),
    { everyMs: 100, onError: (error) => errors.push(error), timers, ...options },
    stop.signal,
  );
  return { timers, stop, errors, done, steps: () => count };
}

describe("repeat()", () => {
  test("runs at once, and again after everyMs", async () => {
    const { timers, stop, done, steps } = start(async () => undefined);
    await yieldToEventLoop();
    expect([steps(), timers.waits]).toEqual([1, [100]]);
    timers.fire();
    await yieldToEventLoop();
    expect(steps()).toBe(2);
    stop.abort();
    await done;
    expect(abortListeners(stop.signal)).toBe(0);
  });

  test("waits firstMs before the first step", async () => {
    const { timers, stop, done, steps } = start(async () => undefined, { firstMs: 30 });
    await yieldToEventLoop();
    expect([steps(), timers.waits]).toEqual([0, [30]]);
    timers.fire();
    await yieldToEventLoop();
    expect(steps()).toBe(1);
    stop.abort();
    await done;
  });

  test("waits as long as the step returns, and not at all if that is 0", async () => {
    const { timers, stop, done, steps } = start(async (count) => (count === 1 ? 0 : 7));
    await yieldToEventLoop();
    expect([steps(), timers.waits]).toEqual([2, [7]]);
    stop.abort();
    await done;
  });

  test("passes the error of a step to onError, and runs again after retryMs, even if it is woken before", async () => {
    const woken = new Watch(0);
    const { timers, stop, done, errors, steps } = start(
      async (count) => {
        if (count === 1) throw new Error("broken");
      },
      { retryMs: 3, woken },
    );
    woken.set(1);
    await yieldToEventLoop();
    expect([errors, timers.waits, steps()]).toEqual([[new Error("broken")], [3], 1]);
    timers.fire();
    await yieldToEventLoop();
    expect(steps()).toBe(2);
    stop.abort();
    await done;
  });

  test("is woken by a change, also by one during the step", async () => {
    const woken = new Watch(0);
    const running = deferred<void>();
    const { timers, stop, done, steps } = start((count) => (count === 1 ? running.promise : Promise.resolve()), {
      woken,
    });
    woken.set(1);
    running.resolve();
    await yieldToEventLoop();
    expect(steps()).toBe(2);
    woken.set(2);
    await yieldToEventLoop();
    await yieldToEventLoop();
    expect([steps(), timers.waits.every((ms) => ms === 100)]).toEqual([3, true]);
    stop.abort();
    await done;
  });

  test("ends with the signal, after the running step, whose error is then dropped", async () => {
    const running = deferred<void>();
    const { stop, done, errors, steps } = start(() => running.promise);
    let isOver = false;
    void done.then(() => (isOver = true));
    stop.abort();
    await yieldToEventLoop();
    expect(isOver).toBe(false);
    running.reject(new Error("too late"));
    await done;
    expect([steps(), errors]).toEqual([1, []]);
  });
});
