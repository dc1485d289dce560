import fc from "fast-check";
import { describe, expect, expectTypeOf, test } from "vitest";
import { bufferedUnordered, count, deferred, END, range, type Stream } from "../../../src/streams/index.js";
import { calls } from "../support/calls.js";
import { failureOf } from "../support/failure-of.js";
import { tracked } from "../support/tracked-source.js";
import { turns } from "../support/until.js";

const numbers = (length: number) => Array.from({ length }, (_, index) => index);

describe("bufferedUnordered", () => {
  test("returns results as calls finish, with up to n calls running or not taken", async () => {
    const plan = fc.record({ size: fc.nat(12), n: fc.integer({ min: 1, max: 5 }), isSlow: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(plan, fc.infiniteStream(fc.nat()), async ({ size, n, isSlow }, random) => {
        const source = tracked(numbers(size), { isSlow });
        const called = calls();
        const given = bufferedUnordered(source.items, n, called.f);
        const finished: string[] = [];
        const got: string[] = [];
        while (got.length < size) {
          const next = Promise.resolve(given.pull()).then((item) => item !== END && got.push(item));
          const before = got.length;
          while (got.length === before) {
            await turns(2);
            expect(called.begun - got.length).toBeLessThanOrEqual(n);
            const { open } = called;
            const finishes = (random.next().value % 3) + (got.length === before ? 1 : 0);
            for (const picked of open.slice(0).reverse().slice(0, finishes)) {
              called.finish(picked);
              finished.push(String(picked));
            }
            await turns(2);
          }
          await next;
        }
        expect(got).toEqual(finished);
        expect(got.toSorted()).toEqual(numbers(size).map(String).toSorted());
        expect(await given.pull()).toBe(END);
        // A slow source may limit the number.
        if (!isSlow) expect(called.openMax).toBe(Math.min(n, size));
        expect(source.closed).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  test("throws a failure after the results before it, and aborts the other calls at once", async () => {
    const error = new Error("no");
    const source = tracked(numbers(9));
    const called = calls();
    const given = bufferedUnordered(source.items, 4, called.f);
    const first = given.pull();
    await turns(2);
    called.finish(3);
    expect(await first).toBe("3");
    called.finish(1);
    await turns(1);
    called.fail(0, error);
    await turns(1);
    expect(called.told).toBe(1);
    called.finish(2);
    await turns(1);
    expect(await given.pull()).toBe("1");
    expect(await failureOf((async () => given.pull())())).toBe(error);
    expect(await given.pull()).toBe(END);
    expect([source.pulled, source.closed]).toEqual([4, 1]);
  });

  test("throws the first of several failures, and handles the others", async () => {
    const errors = [new Error("first"), new Error("second"), new Error("third")] as const;
    const called = calls();
    const given = bufferedUnordered(range(0, 9), 4, called.f);
    const first = given.pull();
    called.finish(1);
    expect(await first).toBe("1");
    // No pull is pending meanwhile.
    called.fail(2, errors[0]);
    called.fail(0, errors[1]);
    await turns(1);
    expect(() => given.pull()).toThrow(errors[0]);
    called.fail(3, errors[2]);
    await turns(2);
    expect(given.pull()).toBe(END);
  });

  test("throws a failure of the source when the calls before it are done", async () => {
    const error = new Error("no");
    const called = calls();
    const given = bufferedUnordered(tracked([0, 1], { failWith: error }).items, 4, called.f);
    const first = given.pull();
    await turns(2);
    called.finish(1);
    expect(await first).toBe("1");
    const second = given.pull();
    await turns(2);
    expect(called.told).toBe(0);
    called.finish(0);
    expect(await second).toBe("0");
    expect(await failureOf((async () => given.pull())())).toBe(error);
  });

  test("close() ends the stream, aborts all calls, closes the source once and waits for no call", async () => {
    const source = tracked(numbers(9));
    const called = calls();
    const given = bufferedUnordered(source.items, 3, called.f);
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

  test("makes no promise if f and the source do not wait", () => {
    const given = bufferedUnordered(range(0, 4), 2, (n) => n * n);
    expect([given.pull(), given.pull(), given.pull(), given.pull(), given.pull()]).toEqual([0, 1, 4, 9, END]);
  });

  test("a large n over a source that is always ready yields to the event loop", async () => {
    let begunInTurn = 0;
    let hadTurn = false;
    setImmediate(() => (hadTurn = true));
    const gate = deferred<void>();
    const given = bufferedUnordered(range(0, 500_000), 500_000, (n) => {
      if (!hadTurn) begunInTurn += 1;
      if (n === 499_999) gate.resolve();
      return gate.promise;
    });
    expect(await count(given)).toBe(500_000);
    expect(begunInTurn).toBeLessThan(500_000);
  });

  test.each([0, -1, 1.5, NaN, Infinity])("refuses %s calls at once", (n) => {
    expect(() => bufferedUnordered([1], n, String)).toThrow(RangeError);
  });

  test("infers the result of f", () => {
    expectTypeOf(bufferedUnordered([1], 2, async (n) => n > 1)).toEqualTypeOf<Stream<boolean>>();
  });
});
