import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  collect,
  deferred,
  fanOut,
  type FanOutPolicy,
  forEach,
  pipe,
  range,
  take,
  TooSlowError,
} from "../../../src/streams/index.js";
import type { Stream } from "../../../src/streams/stream.js";
import { abortListeners } from "../listeners.js";
import { failureOf } from "../support/failure-of.js";
import { tracked } from "../support/tracked-source.js";
import { turns, until } from "../support/until.js";

const dropping = ["drop-newest", "drop-oldest"] as const;
const policies: readonly FanOutPolicy[] = ["wait", "disconnect", ...dropping];

function numbers(size: number): number[] {
  return Array.from({ length: size }, (_, index) => index);
}

/** A sink that takes its first item when the test says so, and keeps all items. */
function stalled<T>() {
  const gate = deferred<void>();
  const got: T[] = [];
  const sink = async (items: Stream<T>) => {
    await gate.promise;
    await forEach(items, (item) => got.push(item));
  };
  return { gate, got, sink };
}

describe("fanOut", () => {
  test("gives every item to every sink that keeps taking, in order, whatever its policy", async () => {
    for (const capacity of [1, 3, 64]) {
      const got: Record<string, number[]> = {};
      const sinks = Object.fromEntries(
        policies.map((policy) => [
          policy,
          {
            policy,
            capacity,
            sink: async (items: Stream<number>) => void (got[policy] = await collect(items, { limit: 1000 })),
          },
        ]),
      );
      const report = await fanOut(range(0, 500), sinks);
      for (const policy of policies) {
        expect(got[policy]).toEqual(numbers(500));
        expect(report[policy]).toEqual({ delivered: 500, dropped: 0, outcome: "finished" });
      }
    }
  });

  test("keeps the pace of the slowest sink that waits, and pulls up to its capacity and one item ahead", async () => {
    const source = tracked(numbers(20));
    const slow = stalled<number>();
    const done = pipe(
      source.items,
      fanOut({
        slow: { sink: slow.sink, policy: "wait", capacity: 4 },
        fast: { sink: (items: Stream<number>) => forEach(items, () => undefined), policy: "wait", capacity: 4 },
      }),
    );
    await until(() => source.pulled === 5);
    await turns(10);
    expect(source.pulled).toBe(5);
    slow.gate.resolve();
    expect(await done).toEqual({
      slow: { delivered: 20, dropped: 0, outcome: "finished" },
      fast: { delivered: 20, dropped: 0, outcome: "finished" },
    });
    expect(slow.got).toEqual(numbers(20));
  });

  test.each([
    ["drop-newest", [0, 1, 2]],
    ["drop-oldest", [7, 8, 9]],
  ] as const)("%s loses and counts what a stalled sink has no room for, and the others go on", async (policy, kept) => {
    const slow = stalled<number>();
    let others = 0;
    const done = fanOut(range(0, 10), {
      slow: { sink: slow.sink, policy, capacity: 3 },
      other: {
        sink: async (items: Stream<number>) => {
          others = (await collect(items, { limit: 10 })).length;
          slow.gate.resolve();
        },
        policy: "wait",
        capacity: 2,
      },
    });
    const report = await done;
    expect(others).toBe(10);
    expect(slow.got).toEqual(kept);
    expect(report.slow).toEqual({ delivered: 3, dropped: 7, outcome: "finished" });
  });

  test("disconnects a sink that is full: it gets its items so far and then a TooSlowError", async () => {
    const slow = stalled<number>();
    let caught: unknown;
    const report = await fanOut(range(0, 10), {
      slow: {
        sink: async (items: Stream<number>) => {
          await slow.sink(items).catch((error: unknown) => {
            caught = error;
          });
        },
        policy: "disconnect",
        capacity: 3,
      },
      other: {
        sink: (items: Stream<number>) => forEach(items, () => undefined).then(slow.gate.resolve),
        policy: "wait",
        capacity: 1,
      },
    });
    expect(slow.got).toEqual([0, 1, 2]);
    expect(caught).toBeInstanceOf(TooSlowError);
    expect(report.slow).toEqual({ delivered: 3, dropped: 0, outcome: "disconnected", error: caught });
    expect(report.other.outcome).toBe("finished");
  });

  test("continues without sinks that resolve early, close their stream, or fail", async () => {
    const report = await fanOut(range(0, 50), {
      early: { sink: async () => undefined, policy: "wait", capacity: 2 },
      broke: {
        sink: async (items: Stream<number>) => {
          for await (const item of items) if (item === 3) break;
          await turns(3);
        },
        policy: "wait",
        capacity: 2,
      },
      failed: {
        sink: (items: Stream<number>) =>
          forEach(items, (item) => {
            if (item === 5) throw new Error("sink");
          }),
        policy: "wait",
        capacity: 2,
      },
      threw: {
        sink: () => {
          throw new Error("at once");
        },
        policy: "disconnect",
        capacity: 2,
      },
      all: { sink: (items: Stream<number>) => forEach(items, () => undefined), policy: "wait", capacity: 2 },
    });
    expect(report).toEqual({
      early: { delivered: 0, dropped: 0, outcome: "left" },
      broke: { delivered: 4, dropped: 0, outcome: "left" },
      failed: { delivered: 6, dropped: 0, outcome: "failed", error: new Error("sink") },
      threw: { delivered: 0, dropped: 0, outcome: "failed", error: new Error("at once") },
      all: { delivered: 50, dropped: 0, outcome: "finished" },
    });
  });

  test("closes the source when all sinks have left, also during a pull", async () => {
    const source = tracked([1, 2, 3], { parksAtEnd: true });
    const report = await fanOut(source.items, {
      one: { sink: (items: Stream<number>) => collect(take(items, 1), { limit: 1 }), policy: "wait", capacity: 2 },
      three: {
        sink: (items: Stream<number>) => collect(take(items, 3), { limit: 3 }),
        policy: "drop-newest",
        capacity: 9,
      },
    });
    expect([report.one.outcome, report.three.outcome]).toEqual(["left", "left"]);
    expect(source.closed).toBe(1);
  });

  test("pulls nothing for no sinks", async () => {
    const source = tracked([1]);
    expect(await fanOut(source.items, {})).toEqual({});
    expect(source.pulled).toBe(0);
  });

  test("passes the source's error to the sinks after their items, waits for them, and rejects with it", async () => {
    const slow = stalled<number>();
    const caught: unknown[] = [];
    let settled = false;
    const source = tracked([1, 2], { failWith: new Error("source") });
    const done = fanOut(source.items, {
      slow: {
        sink: (items: Stream<number>) => slow.sink(items).catch((error: unknown) => caught.push(error)),
        policy: "wait",
        capacity: 5,
      },
    }).finally(() => {
      settled = true;
    });
    const refused = failureOf(done);
    await until(() => source.pulled === 3);
    await turns(3);
    expect(settled).toBe(false);
    slow.gate.resolve();
    expect(await refused).toEqual(new Error("source"));
    expect(slow.got).toEqual([1, 2]);
    expect(caught).toEqual([new Error("source")]);
  });

  test.each(policies)("an abort reaches a waiting source and sinks with the policy %s at once", async (policy) => {
    for (const items of [[1], numbers(30)]) {
      const source = tracked(items, { parksAtEnd: true });
      const controller = new AbortController();
      const caught: unknown[] = [];
      const refused = failureOf(
        fanOut(
          source.items,
          {
            full: {
              sink: (_: Stream<number>, signal: AbortSignal) =>
                new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve())),
              policy: "wait",
              capacity: 3,
            },
            taking: {
              sink: (stream: Stream<number>) =>
                forEach(stream, () => undefined).catch((error: unknown) => caught.push(error)),
              policy,
              capacity: 3,
            },
          },
          controller.signal,
        ),
      );
      await turns(5);
      controller.abort(new Error("enough"));
      expect(await refused).toEqual(new Error("enough"));
      expect(caught).toEqual([new Error("enough")]);
      expect(source.closed).toBe(1);
      expect(abortListeners(controller.signal)).toBe(0);
    }
  });

  test("a stalled sink that is aborted gets the reason instead of its items", async () => {
    const controller = new AbortController();
    const slow = stalled<number>();
    const refused = failureOf(
      fanOut(range(0, 10), { slow: { sink: slow.sink, policy: "wait", capacity: 3 } }, controller.signal),
    );
    await turns(3);
    controller.abort(new Error("enough"));
    slow.gate.resolve();
    expect(await refused).toEqual(new Error("enough"));
    expect(slow.got).toEqual([]);
  });

  test("accounts for every item, with sinks that are slow and leave at random", async () => {
    const anySink = fc.record({
      policy: fc.constantFrom(...dropping, "wait" as const),
      capacity: fc.integer({ min: 1, max: 5 }),
      pauses: fc.array(fc.nat(4), { minLength: 1, maxLength: 5 }),
      leavesAfter: fc.oneof(fc.constant(Infinity), fc.nat(30)),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.nat(40),
        fc.dictionary(fc.constantFrom("a", "b", "c", "d"), anySink),
        fc.boolean(),
        async (size, specs, isSlow) => {
          const got: Record<string, number[]> = {};
          const sinks = Object.fromEntries(
            Object.entries(specs).map(([name, { policy, capacity, pauses, leavesAfter }]) => {
              const mine: number[] = [];
              got[name] = mine;
              const sink = async (items: Stream<number>) => {
                if (leavesAfter === 0) return;
                for await (const item of items) {
                  mine.push(item);
                  if (mine.length === leavesAfter) return;
                  await turns(pauses[mine.length % pauses.length] ?? 0);
                }
              };
              return [name, { policy, capacity, sink }];
            }),
          );
          const report = await fanOut(tracked(numbers(size), { isSlow }).items, sinks);
          for (const [name, { delivered, dropped, outcome }] of Object.entries(report)) {
            const mine = got[name] as number[];
            expect(delivered).toBe(mine.length);
            expect(mine).toEqual([...new Set(mine)].sort((a, b) => a - b));
            if (outcome === "finished") expect(delivered + dropped).toBe(size);
            if (specs[name]?.policy === "wait") expect([dropped, mine]).toEqual([0, numbers(delivered)]);
          }
        },
      ),
      { numRuns: 100 },
    );
  });

  test("refuses a capacity below 1 before it pulls", async () => {
    const source = tracked([1]);
    const sink = async () => undefined;
    await expect(fanOut(source.items, { a: { sink, policy: "wait", capacity: 0 } })).rejects.toThrow(RangeError);
    expect(source.pulled).toBe(0);
  });
});
