import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { channel, collect, debounce, type DebounceOptions } from "../../../src/streams/index.js";
import { pass, useFakeTime, watched } from "../support/fake-time.js";
import { failureOf } from "../support/failure-of.js";
import { tracked } from "../support/tracked-source.js";

useFakeTime();

interface Given {
  readonly item: number;
  readonly atMs: number;
}

/** The debounced items, with their times, for source items at these times. */
async function givenOf(options: DebounceOptions, times: readonly number[]): Promise<Given[]> {
  const { sender, receiver } = channel<number>({ capacity: 1000 });
  const start = performance.now();
  const given: Given[] = [];
  const reading = (async () => {
    for await (const item of debounce(receiver, options)) given.push({ item, atMs: performance.now() - start });
  })();
  for (const [index, atMs] of times.entries()) {
    await pass(atMs - (performance.now() - start));
    sender.trySend(index);
    await pass(0);
  }
  await pass(100_000);
  sender.close();
  await reading;
  return given;
}

/** The model of `debounced`: computed from all times at once, burst by burst. */
function model(
  { quietMs, leading, trailing = true, longestMs = Infinity }: DebounceOptions,
  times: readonly number[],
): Given[] {
  const given: Given[] = [];
  let held: number | undefined;
  let heldSince = 0;
  times.forEach((atMs, item) => {
    const before = times[item - 1] ?? -Infinity;
    if (atMs - before >= quietMs && leading === true) {
      given.push({ item, atMs });
    } else if (trailing) {
      if (held === undefined) heldSince = atMs;
      held = item;
    }
    const next = times[item + 1] ?? Infinity;
    // A held item is returned when it is quiet, or after longestMs; otherwise the next item replaces it.
    while (held !== undefined) {
      const dueAt = Math.min(atMs + quietMs, heldSince + longestMs);
      if (dueAt > next || (dueAt === next && dueAt !== heldSince + longestMs && next - atMs < quietMs)) return;
      given.push({ item: held, atMs: dueAt });
      held = undefined;
    }
  });
  return given;
}

describe("debounce", () => {
  test("returns the last item of each burst, when it is quiet", async () => {
    expect(await givenOf({ quietMs: 10 }, [0, 5, 9, 40, 100, 109])).toEqual([
      { item: 2, atMs: 19 },
      { item: 3, atMs: 50 },
      { item: 5, atMs: 119 },
    ]);
  });

  test("leading, returns the first item at once; with trailing also the last, if there are more", async () => {
    const times = [0, 5, 40, 100, 109];
    expect(await givenOf({ quietMs: 10, leading: true, trailing: false }, times)).toEqual([
      { item: 0, atMs: 0 },
      { item: 2, atMs: 40 },
      { item: 3, atMs: 100 },
    ]);
    expect(await givenOf({ quietMs: 10, leading: true }, times)).toEqual([
      { item: 0, atMs: 0 },
      { item: 1, atMs: 15 },
      { item: 2, atMs: 40 },
      { item: 3, atMs: 100 },
      { item: 4, atMs: 119 },
    ]);
  });

  test("longestMs, returns the latest item of a burst that does not end", async () => {
    const steady = Array.from({ length: 20 }, (_, index) => index * 5);
    expect(await givenOf({ quietMs: 10, longestMs: 32 }, steady)).toEqual([
      { item: 6, atMs: 32 },
      { item: 13, atMs: 67 },
      { item: 19, atMs: 102 },
    ]);
  });

  test("agrees with a model that knows all times", async () => {
    const options = fc.record({
      quietMs: fc.integer({ min: 1, max: 20 }),
      leading: fc.boolean(),
      trailing: fc.constant(true),
      longestMs: fc.option(fc.integer({ min: 21, max: 60 }), { nil: undefined }),
    });
    const gaps = fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 30 });
    // Bounds are multiples of a slot, and each item has its own place in a slot. So no two events are due at once, and all
    // are at whole milliseconds, as timers are.
    const slotMs = 64;
    await fc.assert(
      fc.asyncProperty(options, gaps, async ({ quietMs, longestMs, ...rest }, all) => {
        const slots = { ...rest, quietMs: quietMs * slotMs, longestMs: longestMs && longestMs * slotMs };
        let slot = 0;
        const times = all.map((gap, place) => (slot += gap) * slotMs + place);
        expect(await givenOf(slots, times)).toEqual(model(slots, times));
      }),
      { numRuns: 300 },
    );
  });

  test("returns the held item at the end, and before an error", async () => {
    expect(await collect(debounce([1, 2, 3], { quietMs: 1000 }), { limit: 9 })).toEqual([3]);
    expect(await collect(debounce([undefined], { quietMs: 1000 }), { limit: 9 })).toEqual([undefined]);
    const error = new Error("broken");
    const stream = debounce(tracked([1, 2], { failWith: error }).items, { quietMs: 1000 });
    expect(await stream.next()).toEqual({ done: false, value: 2 });
    expect(await failureOf(stream.next())).toBe(error);
  });

  test("closed, drops the held item and its timer", async () => {
    const { sender, receiver } = channel<number>({ capacity: 9 });
    const stream = debounce(receiver, { quietMs: 100 });
    sender.trySend(1);
    const parked = watched(stream.next());
    await pass(10);
    expect(vi.getTimerCount()).toBe(1);
    await stream.return();
    expect(parked.value).toEqual({ done: true, value: undefined });
    expect(vi.getTimerCount()).toBe(0);
  });

  test("refuses neither leading nor trailing, and longestMs below quietMs", () => {
    expect(() => debounce([], { quietMs: -1 })).toThrow(RangeError);
    expect(() => debounce([], { quietMs: 10, longestMs: 9 })).toThrow(RangeError);
    expect(() => debounce([], { quietMs: 10, trailing: false })).toThrow(RangeError);
  });
});
