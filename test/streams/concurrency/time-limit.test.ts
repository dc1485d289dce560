import { describe, expect, expectTypeOf, test, vi } from "vitest";
import { collect, map, pipe, sleep, TimeoutError, timeLimit } from "../../../src/streams/index.js";
import { abortListeners } from "../listeners.js";
import { failureOf } from "../support/failure-of.js";
import { pass, useFakeTime, watched } from "../support/fake-time.js";
import { tracked } from "../support/tracked-source.js";

useFakeTime();

describe("timeLimit", () => {
  test("returns the result of f in time, also a result without a promise", async () => {
    const doubled = timeLimit(100, (n: number) => (n % 2 === 0 ? n * 2 : sleep(99).then(() => n * 2)));
    const given = pipe([1, 2], map(doubled), collect({ limit: 10 }));
    expectTypeOf(given).toEqualTypeOf<Promise<number[]>>();
    await pass(99);
    expect(await given).toEqual([2, 4]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("rejects at the limit at once, and aborts the signal of f with the same error", async () => {
    let signal: AbortSignal | undefined;
    const stuck = timeLimit(100, (_: number, context) => {
      signal = context.signal;
      return new Promise<never>(() => undefined);
    });
    const outcome = watched(stuck(1));
    await pass(99);
    expect(outcome.isSettled).toBe(false);
    await pass(1);
    expect(outcome.error).toBeInstanceOf(TimeoutError);
    expect(outcome.error).toMatchObject({ ms: 100, what: "the call" });
    expect(signal?.reason).toBe(outcome.error);
  });

  test("rejects with TimeoutError even when f rejects because of the abort", async () => {
    const heeds = timeLimit(100, (_: number, { signal }) =>
      sleep(1000, signal).catch(() => {
        throw new Error("mine");
      }),
    );
    const outcome = watched(heeds(1));
    await pass(100);
    expect(outcome.error).toBeInstanceOf(TimeoutError);
  });

  test("returns an aborted signal if f reads it after the limit", async () => {
    let isAborted: boolean | undefined;
    const late = timeLimit(100, async (_: number, context) => {
      await sleep(200);
      isAborted = context.signal.aborted;
    });
    const outcome = watched(late(1));
    await pass(200);
    expect(isAborted).toBe(true);
    expect(outcome.error).toBeInstanceOf(TimeoutError);
  });

  test("passes on an abort of the outer signal, and still waits for f", async () => {
    const outer = new AbortController();
    const reason = new Error("enough");
    const slow = timeLimit(100, async (_: number, { signal }) => {
      await sleep(1000, signal).catch(() => undefined);
      await sleep(10);
      return signal.reason as unknown;
    });
    const outcome = watched(slow(1, { signal: outer.signal }));
    outer.abort(reason);
    await pass(9);
    expect(outcome.isSettled).toBe(false);
    await pass(1);
    expect(outcome.value).toBe(reason);
    expect(abortListeners(outer.signal)).toBe(0);
  });

  test("aborts the running call when the stream is closed", async () => {
    let reason: unknown;
    const source = tracked([1]);
    const stream = map(
      source.items,
      timeLimit(100, (_: number, { signal }) =>
        sleep(50, signal).catch((why: unknown) => {
          reason = why;
        }),
      ),
    );
    const parked = stream.next();
    await pass(1);
    await stream.return();
    expect(await parked).toEqual({ done: true, value: undefined });
    await pass(0);
    expect(reason).toBeInstanceOf(Error);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("leaves no listener on the outer signal, and passes on an error of f", async () => {
    const outer = new AbortController();
    const throws = timeLimit(100, (_: number, { signal }): number => {
      throw new Error(`aborted: ${signal.aborted}`);
    });
    expect(await failureOf(throws(1, { signal: outer.signal }))).toMatchObject({ message: "aborted: false" });
    expect(abortListeners(outer.signal)).toBe(0);
    expect(() => timeLimit(-1, () => 1)).toThrow(RangeError);
  });
});
