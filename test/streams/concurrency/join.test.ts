import { describe, expect, expectTypeOf, test } from "vitest";
import { deferred, join, type Result, tryJoin } from "../../../src/streams/index.js";
import { abortListeners } from "../listeners.js";
import { failureOf } from "../support/failure-of.js";
import { watched } from "../support/fake-time.js";
import { turns } from "../support/until.js";

const error = new Error("broken");

/** A task that the test ends, or that fails with the reason of its signal. */
function heeding(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
}

describe("join", () => {
  test("returns the result of each task, in the shape of the tasks", async () => {
    const tuple = await join([async () => 1, () => "two", () => Promise.reject(error)]);
    expectTypeOf(tuple).toEqualTypeOf<[Result<number>, Result<string>, Result<never>]>();
    expect(tuple).toEqual([
      { ok: true, value: 1 },
      { ok: true, value: "two" },
      { ok: false, error },
    ]);
    const record = await join({
      a: async () => 1,
      b: (): string => {
        throw error;
      },
    });
    expectTypeOf(record).toEqualTypeOf<{ a: Result<number>; b: Result<string> }>();
    expect(record).toEqual({ a: { ok: true, value: 1 }, b: { ok: false, error } });
    expect(await join([])).toEqual([]);
  });

  test("accepts an array of any length", async () => {
    const results = await join([1, 2, 3].map((n) => async () => n * 2));
    expectTypeOf(results).toEqualTypeOf<Result<number>[]>();
    expect(results.map((result) => result.ok && result.value)).toEqual([2, 4, 6]);
  });

  test("continues the others when one fails", async () => {
    const gate = deferred<number>();
    const joined = watched(join([() => Promise.reject(error), () => gate.promise]));
    await turns(3);
    expect(joined.isSettled).toBe(false);
    gate.resolve(7);
    await turns(1);
    expect(joined.value).toEqual([
      { ok: false, error },
      { ok: true, value: 7 },
    ]);
  });

  test("passes on an abort, and still waits for all", async () => {
    const controller = new AbortController();
    const gate = deferred<number>();
    const joined = watched(join({ heeds: heeding, not: () => gate.promise }, controller.signal));
    controller.abort(error);
    await turns(3);
    expect(joined.isSettled).toBe(false);
    gate.resolve(7);
    await turns(1);
    expect(joined.value).toEqual({ heeds: { ok: false, error }, not: { ok: true, value: 7 } });
    expect(abortListeners(controller.signal)).toBe(0);
  });

  test("begins nothing once the signal has aborted", async () => {
    let begun = 0;
    const results = await join([() => (begun += 1)], AbortSignal.abort(error));
    expect(results).toEqual([{ ok: false, error }]);
    expect(begun).toBe(0);
  });
});

describe("tryJoin", () => {
  test("returns the values in the shape of the tasks", async () => {
    const tuple = await tryJoin([async () => 1, () => "two"]);
    expectTypeOf(tuple).toEqualTypeOf<[number, string]>();
    expect(tuple).toEqual([1, "two"]);
    const record = await tryJoin({ a: async () => 1, b: () => "two" });
    expectTypeOf(record).toEqualTypeOf<{ a: number; b: string }>();
    expect(record).toEqual({ a: 1, b: "two" });
  });

  test("aborts the others at the first failure, and rejects with it when all have settled", async () => {
    const cleanup = deferred<void>();
    const seen: unknown[] = [];
    const joined = watched(
      tryJoin({
        fails: () => Promise.reject(error),
        cleansUp: (signal) =>
          heeding(signal).catch(async (reason: unknown) => {
            seen.push(reason);
            await cleanup.promise;
            throw new Error("a later failure");
          }),
      }),
    );
    await turns(3);
    expect(seen).toEqual([error]);
    expect(joined.isSettled).toBe(false);
    cleanup.resolve();
    await turns(1);
    expect(joined.error).toBe(error);
  });

  test("begins no task after one that throws at once", async () => {
    let begun = 0;
    const fails = () => {
      throw error;
    };
    expect(await failureOf(tryJoin([fails, () => (begun += 1)]))).toBe(error);
    expect(begun).toBe(0);
  });

  test("rejects with the reason of the outer signal when all have settled", async () => {
    const controller = new AbortController();
    const gate = deferred<number>();
    const joined = watched(tryJoin([heeding, () => gate.promise], controller.signal));
    controller.abort(error);
    await turns(3);
    expect(joined.isSettled).toBe(false);
    gate.resolve(1);
    await turns(1);
    expect(joined.error).toBe(error);
    expect(abortListeners(controller.signal)).toBe(0);
    expect(await failureOf(tryJoin([() => 1], AbortSignal.abort(error)))).toBe(error);
  });

  test("leaves no listener when all succeed", async () => {
    const controller = new AbortController();
    await tryJoin([() => 1], controller.signal);
    expect(abortListeners(controller.signal)).toBe(0);
  });
});
