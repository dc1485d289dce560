import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { collect, deferred, unfold } from "../../../src/streams/index.js";
import { failureOf } from "../support/failure-of.js";
import { until } from "../support/until.js";

const end = { done: true, value: undefined } as const;

describe("unfold", () => {
  test("returns the items of its states, at once or later", async () => {
    const anyItems = fc.array(fc.option(fc.integer(), { nil: undefined }), { maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(anyItems, fc.array(fc.boolean(), { minLength: 1 }), async (items, isLater) => {
        const stream = unfold(0, (at) => {
          const made = at < items.length ? { item: items[at], state: at + 1 } : undefined;
          return isLater[at % isLater.length] === true ? Promise.resolve(made) : made;
        });
        expect(await collect(stream, { limit: 20 })).toEqual(items);
        expect(await stream.next()).toEqual(end);
      }),
      { numRuns: 100 },
    );
  });

  test("makes an item when it is asked for, without a promise if step does not wait", () => {
    const states: number[] = [];
    const stream = unfold(1, (n) => {
      states.push(n);
      return { item: n, state: n * 2 };
    });
    expect(states).toEqual([]);
    expect([stream.pull(), stream.pull(), stream.pull()]).toEqual([1, 2, 4]);
    expect(states).toEqual([1, 2, 4]);
  });

  test("fails with an error or rejection of step, once", async () => {
    const error = new Error("no page");
    const throwing = () => {
      throw error;
    };
    for (const step of [throwing, () => Promise.reject(error)]) {
      const stream = unfold(0, step);
      expect(await failureOf(stream.next())).toBe(error);
      expect(await stream.next()).toEqual(end);
    }
  });

  test("closed while step runs, ends at once and aborts the signal of step", async () => {
    const page = deferred<{ item: number; state: number }>();
    let signal: AbortSignal | undefined;
    const stream = unfold(0, (_, context) => {
      ({ signal } = context);
      return page.promise;
    });
    const parked = stream.next();
    await until(() => signal !== undefined);
    await stream.return();
    expect(await parked).toEqual(end);
    expect(signal?.aborted).toBe(true);
    page.reject(new Error("nobody hears this"));
  });
});
