import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  deferred,
  type Deferred,
  forEachConcurrent,
  map,
  pipe,
  range,
  yieldToEventLoop,
} from "../../../src/streams/index.js";
import { abortListeners } from "../listeners.js";
import { failureOf } from "../support/failure-of.js";
import { tracked } from "../support/tracked-source.js";
import { turns, until } from "../support/until.js";

describe("forEachConcurrent", () => {
  test("visits all items, never more than n at once, begun in order", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 40 }),
        fc.integer({ min: 1, max: 6 }),
        fc.infiniteStream(fc.nat(3)),
        async (size, n, waits) => {
          const begun: number[] = [];
          let running = 0;
          let most = 0;
          await forEachConcurrent(range(0, size), n, async (item) => {
            begun.push(item);
            running += 1;
            most = Math.max(most, running);
            for (let left = waits.next().value as number; left > 0; left -= 1) await yieldToEventLoop();
            running -= 1;
          });
          expect(begun).toEqual(Array.from({ length: size }, (_, index) => index));
          expect(running).toBe(0);
          expect(most).toBeLessThanOrEqual(n);
        },
      ),
      { numRuns: 60 },
    );
  });

  test("pulls an item only when a call may begin", async () => {
    const source = tracked([1, 2, 3, 4, 5]);
    const calls: Deferred<void>[] = [];
    const done = forEachConcurrent(source.items, 2, () => {
      calls.push(deferred<void>());
      return calls.at(-1)?.promise;
    });
    await until(() => calls.length === 2);
    await turns(3);
    expect(source.pulled).toBe(2);
    calls[1]?.resolve();
    await until(() => calls.length === 3);
    await turns(3);
    expect(source.pulled).toBe(3);
    await until(() => {
      for (const call of calls) call.resolve();
      return source.pulled === 6;
    });
    await done;
    expect(calls).toHaveLength(5);
  });

  test("accepts a function that does not wait, in a pipe", async () => {
    const seen: number[] = [];
    await pipe(
      range(0, 3),
      map((n) => n * 2),
      forEachConcurrent(2, (n) => seen.push(n)),
    );
    expect(seen).toEqual([0, 2, 4]);
  });

  test("aborts the other calls at the first failure, waits for them, and pulls nothing more", async () => {
    const source = tracked([1, 2, 3, 4, 5]);
    const failing = deferred<void>();
    const other = deferred<void>();
    const signals: AbortSignal[] = [];
    let settled = false;
    const done = forEachConcurrent(source.items, 2, (item, { signal }) => {
      signals.push(signal);
      return item === 1 ? failing.promise : other.promise;
    }).finally(() => {
      settled = true;
    });
    const refused = failureOf(done);
    await until(() => signals.length === 2);
    failing.reject(new Error("first"));
    await until(() => signals[1]?.aborted === true);
    await turns(3);
    expect(source.closed).toBe(1);
    expect(settled).toBe(false);
    other.reject(new Error("second"));
    expect(await refused).toEqual(new Error("first"));
    expect(source.pulled).toBe(2);
  });

  test("rejects at once with an error that f throws, and closes the source", async () => {
    const source = tracked([1, 2, 3]);
    await expect(
      forEachConcurrent(source.items, 2, () => {
        throw new Error("no");
      }),
    ).rejects.toThrow("no");
    expect(source.pulled).toBe(1);
    expect(source.closed).toBe(1);
  });

  test("waits for the running calls when the source fails", async () => {
    const call = deferred<void>();
    let settled = false;
    const source = tracked([1], { failWith: new Error("source") });
    const done = forEachConcurrent(source.items, 3, () => call.promise).finally(() => {
      settled = true;
    });
    const refused = failureOf(done);
    await until(() => source.pulled === 2);
    await turns(3);
    expect(settled).toBe(false);
    call.resolve();
    expect(await refused).toEqual(new Error("source"));
  });

  test("closes a waiting source and aborts the calls when the signal aborts, and leaves no listener", async () => {
    const source = tracked([1], { parksAtEnd: true });
    const call = deferred<void>();
    const controller = new AbortController();
    const done = forEachConcurrent(
      source.items,
      3,
      (_, { signal }) => {
        signal.addEventListener("abort", () => call.resolve());
        return call.promise;
      },
      controller.signal,
    );
    const refused = failureOf(done);
    await until(() => source.pulled === 2);
    controller.abort(new Error("enough"));
    expect(await refused).toEqual(new Error("enough"));
    expect(source.closed).toBe(1);
    expect(abortListeners(controller.signal)).toBe(0);
  });

  test("refuses a signal that has aborted before it pulls", async () => {
    const source = tracked([1]);
    await expect(
      forEachConcurrent(source.items, 1, () => undefined, AbortSignal.abort(new Error("early"))),
    ).rejects.toThrow("early");
    expect(source.pulled).toBe(0);
  });

  test("yields to the event loop between calls that do not wait", async () => {
    let visited = 0;
    const controller = new AbortController();
    setImmediate(() => controller.abort(new Error("turn")));
    await expect(forEachConcurrent(range(0), 4, () => void (visited += 1), controller.signal)).rejects.toThrow("turn");
    expect(visited).toBeLessThan(2 ** 27);
  });

  test("refuses n below 1", async () => {
    await expect(forEachConcurrent([1], 0, () => undefined)).rejects.toThrow(RangeError);
  });
});
