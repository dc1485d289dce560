import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  broadcast,
  ChannelClosedError,
  collect,
  fold,
  Lagged,
  RecoveryShortError,
  type Stream,
  yieldToEventLoop,
} from "../../../src/streams/index.js";
import { tracked } from "../support/tracked-source.js";
import { turns } from "../support/until.js";

const end = { done: true, value: undefined } as const;

interface Reader {
  readonly from: number;
  readonly stream: Stream<number | Lagged>;
  readonly isRecovering: boolean;
  readonly seen: (number | Lagged)[];
  failure: unknown;
}

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("send" as const), many: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("read" as const), many: fc.nat({ max: 40 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("subscribe" as const), many: fc.nat({ max: 20 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("recover" as const), many: fc.nat({ max: 20 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("leave" as const), many: fc.nat({ max: 20 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("turn" as const), many: fc.constant(1) }) },
);

test("broadcast, delivers every item once and in order to each receiver, or the number that it missed", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 60 }),
      fc.integer({ min: 1, max: 8 }),
      fc.integer({ min: -3, max: 5 }),
      fc.constantFrom("close", "fail"),
      async (steps, capacity, start, ending) => {
        // An item is its position.
        const feed = broadcast<number>({ capacity, start });
        const recoveries: ReturnType<typeof tracked<number>>[] = [];
        let readers: Reader[] = [];
        const subscribe = (back: number, isRecovering: boolean) => {
          const from = feed.next - back;
          const recover = (low: number, high: number) => {
            expect(low).toBeLessThan(high);
            const all = Array.from({ length: high - low + (back % 2) }, (_, index) => low + index);
            const recovery = tracked(all, { isSlow: back % 3 === 0 });
            recoveries.push(recovery);
            return recovery.items;
          };
          const stream = isRecovering ? feed.subscribe({ from, recover }) : feed.subscribe({ from });
          readers.push({ from, stream, isRecovering, seen: [], failure: undefined });
        };
        const readAll = async (reader: Reader) => {
          try {
            for await (const item of reader.stream) reader.seen.push(item);
          } catch (error) {
            reader.failure = error;
          }
        };

        for (const one of steps) {
          const reader = readers[one.many % Math.max(1, readers.length)];
          if (one.kind === "send") {
            for (let left = one.many; left > 0; left -= 1) expect(feed.send(feed.next)).toBe(readers.length);
          } else if (one.kind === "subscribe" || one.kind === "recover") subscribe(one.many, one.kind === "recover");
          else if (one.kind === "turn") await yieldToEventLoop();
          else if (reader === undefined) continue;
          else if (one.kind === "leave") {
            await reader.stream.close();
            readers = readers.filter((other) => other !== reader);
            expect(await reader.stream.next()).toEqual(end);
          } else {
            // There may be no item: then it waits, and the next send wakes it.
            const asked = reader.stream.next();
            if (placeAfter(reader) === feed.next) feed.send(feed.next);
            const { value } = await asked;
            if (value !== undefined) reader.seen.push(value);
          }
          expect(feed.receivers).toBe(readers.length);
          expect(feed.size).toBeLessThanOrEqual(capacity);
          expect(feed.next - feed.first).toBe(feed.size);
        }

        const over = readers.map(readAll);
        if (ending === "close") feed.close();
        else feed.fail(new Error("broken"));
        const late = { from: start, stream: feed.subscribe({ from: start }), isRecovering: false, seen: [] };
        readers.push({ ...late, failure: undefined });
        await Promise.all([...over, readAll(readers.at(-1) as Reader)]);
        for (const { seen, from, isRecovering, failure } of readers) {
          if (isRecovering) expect(seen.some((item) => item instanceof Lagged)).toBe(false);
          let next = from;
          for (const item of seen) {
            if (item instanceof Lagged) {
              expect(item.missed).toBeGreaterThan(0);
              next += item.missed;
              expect(item.next).toBe(next);
            } else expect(item).toBe(next++);
          }
          expect(next).toBe(feed.next);
          expect(failure).toEqual(ending === "fail" ? new Error("broken") : undefined);
        }
        expect(feed.receivers).toBe(0);
        expect(recoveries.every(({ closed }) => closed <= 1)).toBe(true);
      },
    ),
    { numRuns: 200 },
  );
});

function placeAfter({ from, seen }: Reader): number {
  return seen.reduce((next: number, item) => next + (item instanceof Lagged ? item.missed : 1), from);
}

describe("broadcast", () => {
  test("returns kept items without a promise, and wakes all waiting receivers once for all items sent meanwhile", async () => {
    const feed = broadcast<number>({ capacity: 10 });
    const receivers = Array.from({ length: 1000 }, () => feed.subscribe());
    const sums = receivers.map((receiver) => fold(receiver, (sum, n) => sum + (n as number), 0));
    await yieldToEventLoop();
    const quick = feed.subscribe();
    for (const n of [1, 2, 3]) expect(feed.send(n)).toBe(1001);
    expect([quick.pull(), quick.pull(), quick.pull()]).toEqual([1, 2, 3]);
    feed.close();
    expect(new Set(await Promise.all(sums))).toEqual(new Set([6]));
    expect(await quick.next()).toEqual(end);
    expect(feed.receivers).toBe(0);
  });

  test("loses no wake when a woken consumer sends, subscribes or leaves", async () => {
    const feed = broadcast<number>({ capacity: 10 });
    const other = feed.subscribe();
    const answering = fold(
      feed.subscribe(),
      async (seen: number[], n) => {
        if (n === 1) {
          feed.send(2);
          await other.close();
          feed.send(3);
        }
        if (n === 3) feed.close();
        return [...seen, n as number];
      },
      [],
    );
    const parked = other.next();
    await yieldToEventLoop();
    feed.send(1);
    // Whether it was closed before or after it was woken, it no longer waits.
    expect([1, undefined]).toContain((await parked).value);
    expect(await other.next()).toEqual(end);
    expect(await answering).toEqual([1, 2, 3]);
  });

  test("numbers items from start, and refuses positions above the next one", async () => {
    const feed = broadcast<string>({ capacity: 2, start: 7 });
    expect([feed.next, feed.first, feed.size]).toEqual([7, 7, 0]);
    feed.send("a");
    expect([feed.next, feed.first, feed.size]).toEqual([8, 7, 1]);
    for (const wrong of [9, 7.5, Number.NaN, Infinity]) {
      expect(() => feed.subscribe({ from: wrong })).toThrow(RangeError);
    }
    expect(feed.receivers).toBe(0);
    feed.close();
    expect(() => feed.send("b")).toThrow(ChannelClosedError);
    // From a position before the first item.
    expect(await collect(feed.subscribe({ from: 5 }), { limit: 9 })).toEqual([new Lagged(2, 7), "a"]);
    for (const wrong of [0, Infinity, Number.NaN]) expect(() => broadcast({ capacity: wrong })).toThrow(RangeError);
    expect(() => broadcast({ capacity: 1, start: 0.5 })).toThrow(RangeError);
  });

  test("does not keep an item that is heavier than its capacity: every receiver lags", async () => {
    const feed = broadcast<number>({ capacity: 10, weigh: (item) => item });
    const receiver = feed.subscribe();
    for (const item of [1, 99, 2]) feed.send(item);
    feed.close();
    expect(await collect(receiver, { limit: 9 })).toEqual([new Lagged(2, 2), 2]);
    expect(() => feed.send(1)).toThrow("Cannot send: the broadcast is closed");
  });

  test("keeps no memory of receivers that waited and left", async () => {
    const feed = broadcast<number>({ capacity: 1 });
    for (let left = 1000; left > 0; left -= 1) {
      const receiver = feed.subscribe();
      const parked = receiver.next();
      await receiver.return();
      expect(await parked).toEqual(end);
    }
    expect(feed.receivers).toBe(0);
    expect(feed.send(1)).toBe(0);
  });
});

describe("subscribe() with recover", () => {
  const lagging = (recover: (from: number, to: number, signal: AbortSignal) => AsyncIterable<number>) => {
    const feed = broadcast<number>({ capacity: 1 });
    const receiver = feed.subscribe({ recover });
    for (const n of [0, 1, 2]) feed.send(n);
    return { feed, receiver };
  };

  test("fails when the recovery returns too few items, after those items", async () => {
    const short = tracked([0]);
    const { receiver, feed } = lagging(() => short.items);
    expect(await receiver.next()).toEqual({ done: false, value: 0 });
    const failure = await receiver.next().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(RecoveryShortError);
    expect(failure).toMatchObject({ code: "recovery-short", from: 0, to: 2, given: 1 });
    expect([await receiver.next(), feed.receivers]).toEqual([end, 0]);
  });

  test("cuts off a recovery that returns too many items, and closes it once", async () => {
    const long = tracked([0, 1, 2, 3]);
    const { receiver, feed } = lagging(() => long.items);
    feed.close();
    expect(await collect(receiver, { limit: 9 })).toEqual([0, 1, 2]);
    expect([long.pulled, long.closed]).toEqual([2, 1]);
  });

  test("recovers again when the ring has moved on meanwhile", async () => {
    const asked: [number, number][] = [];
    const { receiver, feed } = lagging((from, to) => {
      asked.push([from, to]);
      return tracked(Array.from({ length: to - from }, (_, index) => from + index)).items;
    });
    expect(await receiver.next()).toEqual({ done: false, value: 0 });
    for (const n of [3, 4, 5]) feed.send(n);
    feed.close();
    expect(await collect(receiver, { limit: 9 })).toEqual([1, 2, 3, 4, 5]);
    expect(asked).toEqual([
      [0, 2],
      [2, 5],
    ]);
  });

  test("closes a pending recovery and aborts its signal when the receiver leaves", async () => {
    const parked = tracked<number>([], { parksAtEnd: true });
    let heard: AbortSignal | undefined;
    const { receiver } = lagging((_from, _to, signal) => {
      heard = signal;
      return parked.items;
    });
    const next = receiver.next();
    await turns(3);
    await receiver.return();
    expect([await next, parked.closed, heard?.aborted]).toEqual([end, 1, true]);
  });

  test("fails with an error of recover, of its items, or of its cleanup", async () => {
    const throwing = lagging(() => {
      throw new Error("no history");
    });
    await expect(throwing.receiver.next()).rejects.toThrow("no history");
    const failing = lagging(() => tracked([0], { failWith: new Error("half a history") }).items);
    await expect(collect(failing.receiver, { limit: 9 })).rejects.toThrow("half a history");
    const untidy = lagging(async function* () {
      try {
        yield 0;
        yield 1;
        yield 2;
      } finally {
        // oxlint-disable-next-line no-unsafe-finally
        throw new Error("untidy");
      }
    });
    expect([(await untidy.receiver.next()).value, (await untidy.receiver.next()).value]).toEqual([0, 1]);
    await expect(untidy.receiver.next()).rejects.toThrow("untidy");
    expect([await untidy.receiver.next(), untidy.feed.receivers]).toEqual([end, 0]);
  });
});
