import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  collect,
  deferred,
  from,
  type OpenContext,
  reconnecting,
  type ReopeningEvent,
  retry,
  type Source,
  take,
} from "../../../src/streams/index.js";
import { abortListeners } from "../listeners.js";
import { failureOf } from "../support/failure-of.js";
import { tracked } from "../support/tracked-source.js";
import { turns, until } from "../support/until.js";

const end = { done: true, value: undefined } as const;
const lost = new Error("lost");
/** Makes each wait as long as its bound. */
const atBound = { minMs: 100, maxMs: 400, random: () => 0.9999 };

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

/** Moves the clock in small steps, with turns of the event loop between them, so that waits can continue. */
async function passTime(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 50) {
    await turns(3);
    await vi.advanceTimersByTimeAsync(Math.min(50, ms - passed));
  }
  await turns(3);
}

/** An `open` that returns these sources in turn, then always the last one. Records its arguments. */
function script<T>(...sources: (() => Source<T> | PromiseLike<Source<T>>)[]) {
  const opened: OpenContext<T>[] = [];
  const open = (context: OpenContext<T>) => {
    opened.push(context);
    return (sources[opened.length - 1] ?? (sources.at(-1) as () => Source<T>))();
  };
  return { opened, open };
}

const failing =
  (...items: number[]) =>
  () =>
    tracked(items, { failWith: lost }).items;
const refusing = (): never => {
  throw lost;
};

describe("retry", () => {
  test("opens again after an error, with the last item, and restarts the count with each item", async () => {
    const { open, opened } = script(
      failing(1, 2),
      refusing,
      () => Promise.reject(lost),
      failing(3),
      () => [4],
    );
    const waits: number[] = [];
    const items = collect(retry(open, { ...atBound, maxRetries: 3, onRetry: (e) => waits.push(e.delayMs) }), {
      limit: 9,
    });
    await passTime(10_000);
    expect(await items).toEqual([1, 2, 3, 4]);
    expect(opened.map(({ attempt, last }) => [attempt, last])).toEqual([
      [0, undefined],
      [1, 2],
      [2, 2],
      [3, 2],
      [1, 3],
    ]);
    expect(waits).toEqual([100, 200, 400, 100]);
  });

  test("waits for the announced delay before it opens", async () => {
    const { open, opened } = script(refusing, () => [1]);
    const items = collect(retry(open, { ...atBound, maxRetries: 1 }), { limit: 9 });
    await passTime(99);
    expect(opened.length).toBe(1);
    await passTime(1);
    expect(opened.length).toBe(2);
    expect(await items).toEqual([1]);
  });

  test("throws the last error when its retries are used up, once", async () => {
    const { open, opened } = script<number>(refusing);
    const stream = retry(open, { ...atBound, maxRetries: 2 });
    const failed = failureOf(stream.next());
    await passTime(10_000);
    expect(await failed).toBe(lost);
    expect(opened.length).toBe(3);
    expect(await stream.next()).toEqual(end);
    expect(await failureOf(retry(refusing, { maxRetries: 0 }).next())).toBe(lost);
  });

  test("throws an error that is not retryable at once", async () => {
    const { open, opened } = script<number>(refusing);
    const stream = retry(open, { maxRetries: 5, isRetryable: (error) => error !== lost });
    expect(await failureOf(stream.next())).toBe(lost);
    expect(opened.length).toBe(1);
  });

  test("opens nothing before the first pull, nor after the end, and refuses an invalid number of retries", async () => {
    const { open, opened } = script(() => [1]);
    const stream = retry(open, { maxRetries: 1 });
    expect(opened.length).toBe(0);
    expect(await collect(stream, { limit: 1 })).toEqual([1]);
    expect(await stream.next()).toEqual(end);
    expect(opened.length).toBe(1);
    for (const maxRetries of [-1, 1.5, Number.NaN]) expect(() => retry(open, { maxRetries })).toThrow(RangeError);
    expect(() => retry(open, { maxRetries: 1, minMs: 0 })).toThrow(RangeError);
  });

  test("closed during a wait, ends at once, and leaves no timer", async () => {
    const { open, opened } = script<number>(refusing);
    const events: ReopeningEvent[] = [];
    const stream = retry(open, { ...atBound, maxRetries: 2, onRetry: (event) => events.push(event) });
    const parked = stream.next();
    await until(() => events.length === 1);
    await stream.return();
    expect(await parked).toEqual(end);
    expect(opened.length).toBe(1);
  });

  test("fails with the signal's reason at once when it aborts during a wait, an open or a source", async () => {
    const never = new Promise<Source<number>>(() => undefined);
    const parking = () => tracked<number>([], { parksAtEnd: true }).items;
    for (const source of [refusing, () => never, parking]) {
      const { open, opened } = script<number>(source);
      const controller = new AbortController();
      const parked = failureOf(retry(open, { ...atBound, maxRetries: 2, signal: controller.signal }).next());
      await until(() => opened.length === 1);
      controller.abort("enough");
      expect(await parked).toBe("enough");
      expect(opened[0]?.signal.aborted).toBe(true);
      expect(abortListeners(controller.signal)).toBe(0);
    }
  });
});

describe("reconnecting", () => {
  test("opens again after the end of a source too, unless whenEnded is end", async () => {
    const { open, opened } = script(
      () => [1, 2],
      () => [],
      () => [3],
    );
    const events: ReopeningEvent[] = [];
    const stream = reconnecting(open, { ...atBound, onReconnecting: (event) => events.push(event) });
    const items = collect(take(stream, 3), { limit: 3 });
    await passTime(10_000);
    expect(await items).toEqual([1, 2, 3]);
    expect(opened.map(({ attempt, last }) => [attempt, last])).toEqual([
      [0, undefined],
      [1, 2],
      [2, 2],
    ]);
    expect(events).toEqual([
      { after: "end", attempt: 1, delayMs: 100 },
      { after: "end", attempt: 2, delayMs: 200 },
    ]);
    expect(
      await collect(
        reconnecting(() => [1], { whenEnded: "end" }),
        { limit: 9 },
      ),
    ).toEqual([1]);
  });

  test("resets its waits only after progress", async () => {
    // A server that only sends a greeting and breaks off must not be called every 100 ms.
    const { open, opened } = script(
      failing(0),
      failing(0),
      failing(7),
      () => tracked<number>([], { parksAtEnd: true }).items,
    );
    const events: ReopeningEvent[] = [];
    const stream = reconnecting(open, {
      ...atBound,
      isProgress: (n) => n > 0,
      onReconnecting: (event) => events.push(event),
    });
    const items: unknown[] = [];
    const reading = (async () => {
      for await (const item of stream) items.push(item);
    })();
    await passTime(10_000);
    expect(items).toEqual([0, 0, 7]);
    expect(events.map(({ attempt, delayMs }) => [attempt, delayMs])).toEqual([
      [1, 100],
      [2, 200],
      [1, 100],
    ]);
    expect(opened.map(({ last }) => last)).toEqual([undefined, 0, 0, 7]);
    await stream.return();
    await reading;
  });

  test("waits at least as long as delayOf returns", async () => {
    const { open } = script(refusing, () => [1]);
    const events: ReopeningEvent[] = [];
    const stream = reconnecting(open, {
      ...atBound,
      delayOf: (error) => (error === lost ? 5_000 : undefined),
      onReconnecting: (event) => events.push(event),
    });
    const next = stream.next();
    await passTime(5_000);
    expect((await next).value).toBe(1);
    expect(events).toEqual([{ after: "error", error: lost, attempt: 1, delayMs: 5_000 }]);
    await stream.return();
  });

  test("gives up when a wait would end too late, measured since the first loss, or at the first failure", async () => {
    const { open, opened } = script<number>(refusing);
    const failed = failureOf(reconnecting(open, { ...atBound, giveUpAfterMs: 701 }).next());
    await passTime(10_000);
    expect(await failed).toBe(lost);
    // Opens at 0, 100, 300 and 700 ms; 1,100 ms would be too late.
    expect(opened.length).toBe(4);
    expect(await failureOf(reconnecting(refusing, { giveUpAfterMs: 0, random: () => 0 }).next())).toBe(lost);
    expect(await reconnecting(() => [], { giveUpAfterMs: 0 }).next()).toEqual(end);
  });

  test("continues for as long as it makes progress", async () => {
    const { open } = script(failing(1));
    const items = collect(take(reconnecting(open, { ...atBound, giveUpAfterMs: 101 }), 30), { limit: 30 });
    await passTime(10_000);
    expect((await items).length).toBe(30);
  });

  test("aborts the signal of each source when that is lost or closed", async () => {
    const { open, opened } = script(failing(1), () => tracked([2], { parksAtEnd: true }).items);
    const stream = reconnecting(open, atBound);
    await stream.next();
    const next = stream.next();
    await passTime(100);
    expect((await next).value).toBe(2);
    expect(opened.map(({ signal }) => signal.aborted)).toEqual([true, false]);
    await stream.return();
    expect(opened.map(({ signal }) => signal.aborted)).toEqual([true, true]);
  });

  test("closed during open, closes the source that open returns then", async () => {
    const opening = deferred<Source<number>>();
    const { open, opened } = script<number>(() => opening.promise);
    const stream = reconnecting(open);
    const parked = stream.next();
    await until(() => opened.length === 1);
    await stream.return();
    expect(await parked).toEqual(end);
    expect(opened[0]?.signal.aborted).toBe(true);
    let closed = 0;
    const late = from([7]);
    late.close = () => void (closed += 1) as undefined;
    opening.resolve(late);
    await until(() => closed === 1);
  });

  test("closed by onReconnecting, does not wait", async () => {
    const { open, opened } = script<number>(refusing);
    const stream = reconnecting(open, { ...atBound, onReconnecting: () => void stream.return() });
    expect(await stream.next()).toEqual(end);
    expect(opened.length).toBe(1);
  });

  test("fails with an error of onReconnecting", async () => {
    const stream = reconnecting(refusing, { onReconnecting: refusing });
    expect(await failureOf(stream.next())).toBe(lost);
    expect(await stream.next()).toEqual(end);
  });
});
