import fc from "fast-check";
import { describe, expect, expectTypeOf, test } from "vitest";
import { buffered, count, deferred, END, range, type Stream } from "../../../src/streams/index.js";
import { calls } from "../support/calls.js";
import { failureOf } from "../support/failure-of.js";
import { tracked } from "../support/tracked-source.js";
import { turns } from "../support/until.js";

const numbers = (length: number) => Array.from({ length }, (_, index) => index);

describe("buffered", () => {
  test("returns results in order, with up to n calls running or not taken, whichever finishes first", async () => {
    const plan = fc.record({ size: fc.nat(12), n: fc.integer({ min: 1, max: 5 }), isSlow: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(plan, fc.infiniteStream(fc.nat()), async ({ size, n, isSlow }, random) => {
        const source = tracked(numbers(size), { isSlow });
        const called = calls();
        const given = buffered(source.items, n, called.f);
        const got: string[] = [];
        while (got.length < size) {
          const next = Promise.resolve(given.pull()).then((item) => item !== END && got.push(item));
          const before = got.length;
          while (got.length === before) {
            await turns(2);
            expect(called.begun - got.length).toBeLessThanOrEqual(n);
            const { open } = called;
            const picked = open[random.next().value % Math.max(1, open.length)];
            if (picked !== undefined && got.length === before) called.finish(picked);
          }
          await next;
        }
        expect(got).toEqual(numbers(size).map(String));
        expect(await given.pull()).toBe(END);
        expect(source.closed).toBe(0);
        // A slow source may limit the number.
        if (!isSlow) expect(called.openMax).toBe(Math.min(n, size));
      }),
      { numRuns: 60 },
    );
  });

  test("throws a failure after the results before it, pulls nothing more, and aborts the other calls", async () => {
    const error = new Error("no");
    const source = tracked(numbers(9));
    const called = calls();
    const given = buffered(source.items, 4, called.f);
    const first = given.pull();
    await turns(2);
    expect(called.open).toEqual([0, 1, 2, 3]);
    called.fail(2, error);
    await turns(2);
    called.finish(0);
    expect(await first).toBe("0");
    await turns(2);
    expect(source.pulled).toBe(4);
    expect(called.told).toBe(0);
    called.finish(1);
    expect(await given.pull()).toBe("1");
    expect(await failureOf((async () => given.pull())())).toBe(error);
    expect(called.told).toBe(1);
    expect([source.pulled, source.closed]).toEqual([4, 1]);
    // This late failure is dropped.
    called.fail(3, new Error("late"));
    await turns(2);
    expect(await given.pull()).toBe(END);
  });

  test("throws a failure of the source after the results of all calls before it", async () => {
    const error = new Error("no");
    const called = calls();
    const given = buffered(tracked([0, 1], { failWith: error }).items, 4, called.f);
    const first = given.pull();
    await turns(2);
    called.finish(1);
    called.finish(0);
    expect([await first, await given.pull()]).toEqual(["0", "1"]);
    expect(await failureOf((async () => given.pull())())).toBe(error);
  });

  test("close() ends the stream, aborts all calls, closes the source once and waits for no call", async () => {
    const source = tracked(numbers(9));
    const called = calls();
    const given = buffered(source.items, 3, called.f);
    const parked = given.pull();
    await turns(2);
    await given.close();
    await given.close();
    expect(await parked).toBe(END);
    expect([called.told, source.closed]).toEqual([3, 1]);
    called.fail(0, new Error("late"));
    called.finish(1);
    await turns(2);
    expect(source.pulled).toBe(3);
  });

  test("makes no promise if f and the source do not wait; an error of f comes in its order", () => {
    const error = new Error("no");
    const given = buffered(range(0, 9), 3, (n) => {
      if (n === 2) throw error;
      return n;
    });
    expect([given.pull(), given.pull()]).toEqual([0, 1]);
    expect(() => given.pull()).toThrow(error);
    expect(given.pull()).toBe(END);
  });

  test("a large n over a source that is always ready yields to the event loop", async () => {
    let begunInTurn = 0;
    let hadTurn = false;
    setImmediate(() => (hadTurn = true));
    const gate = deferred<void>();
    const given = buffered(range(0, 1_000_000), 1_000_000, (n) => {
      if (!hadTurn) begunInTurn += 1;
      if (n === 999_999) gate.resolve();
      return n === 0 ? gate.promise : undefined;
    });
    // All calls begin, over several turns, although only the first result is awaited.
    expect(await count(given)).toBe(1_000_000);
    expect(begunInTurn).toBeLessThan(1_000_000);
  });

  test.each([0, -1, 1.5, NaN, Infinity])("refuses %s calls at once", (n) => {
    expect(() => buffered([1], n, String)).toThrow(RangeError);
  });

  test("infers the result of f", () => {
    expectTypeOf(buffered([1], 2, async (n) => n > 1)).toEqualTypeOf<Stream<boolean>>();
  });
});
