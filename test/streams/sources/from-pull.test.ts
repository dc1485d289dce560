import { expect, test } from "vitest";
import { abortable, deferred, fromPull } from "../../../src/streams/index.js";
import type { Deferred, PullSource } from "../../../src/streams/index.js";
import { abortListeners } from "../listeners.js";
import { until } from "../support/until.js";

const end = { done: true, value: undefined } as const;

/** A source whose pulls the test answers. */
function manual() {
  const asked: Deferred<IteratorResult<number, undefined>>[] = [];
  const seen = { closed: 0, signal: undefined as AbortSignal | undefined };
  const source: PullSource<number> = {
    pull(signal) {
      seen.signal = signal;
      const answer = deferred<IteratorResult<number, undefined>>();
      asked.push(answer);
      return abortable(answer.promise, signal);
    },
    close: () => void (seen.closed += 1),
  };
  return { asked, seen, iterator: fromPull(source) };
}

test("fromPull, pulls nothing before next(), and serves overlapping calls of next() in order, one at a time", async () => {
  const { asked, iterator } = manual();
  expect(asked.length).toBe(0);
  const results = [iterator.next(), iterator.next(), iterator.next()];
  await until(() => asked.length > 0);
  expect(asked.length).toBe(1);
  asked[0]?.resolve({ done: false, value: 1 });
  await results[0];
  await until(() => asked.length === 2);
  asked[1]?.resolve({ done: false, value: 2 });
  await results[1];
  await until(() => asked.length === 3);
  asked[2]?.resolve(end);
  expect(await Promise.all(results)).toEqual([{ done: false, value: 1 }, { done: false, value: 2 }, end]);
  expect(asked.length).toBe(3);
});

test("fromPull, always returns the end after the end, an error or return(), and closes its source once", async () => {
  const ended = manual();
  const last = ended.iterator.next();
  await until(() => ended.asked.length === 1);
  ended.asked[0]?.resolve(end);
  expect(await last).toEqual(end);

  const broken = manual();
  const failing = broken.iterator.next();
  const behind = broken.iterator.next();
  await until(() => broken.asked.length === 1);
  broken.asked[0]?.reject(new Error("broken"));
  await expect(failing).rejects.toThrow("broken");
  expect(await behind).toEqual(end);

  const left = manual();
  await left.iterator.return?.();

  for (const { asked, iterator, seen } of [ended, broken, left]) {
    const pulls = asked.length;
    expect(await iterator.next()).toEqual(end);
    expect(await iterator.return?.()).toEqual(end);
    expect(asked.length).toBe(pulls);
    expect(seen.closed).toBe(1);
  }
});

test("fromPull.return(), ends a pending next() at once and leaves no listener", async () => {
  const { iterator, seen } = manual();
  const parked = iterator.next();
  const behind = iterator.next();
  await until(() => seen.signal !== undefined);
  expect(await iterator.return?.()).toEqual(end);
  expect(await parked).toEqual(end);
  expect(await behind).toEqual(end);
  expect(seen.closed).toBe(1);
  expect(seen.signal?.aborted).toBe(true);
  expect(seen.signal && abortListeners(seen.signal)).toBe(0);
});

test("fromPull, closes its source when a loop breaks off", async () => {
  const { asked, iterator, seen } = manual();
  const looping = (async () => {
    for await (const value of iterator) return value;
    return undefined;
  })();
  await until(() => asked.length === 1);
  asked[0]?.resolve({ done: false, value: 5 });
  expect(await looping).toBe(5);
  expect(seen.closed).toBe(1);
});
