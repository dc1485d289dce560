import { expect, test } from "vitest";
import {
  channel,
  collect,
  first,
  idleTimeout,
  reconnecting,
  sleep,
  systemTimers,
  TimeoutError,
  Watch,
} from "../../../src/streams/index.js";
import { createSimulatedClock } from "../../support/simulated-clock.js";

test("sleep(), Watch.changed(), idleTimeout() and reconnecting(), wait by their timers option", async () => {
  const timers = createSimulatedClock();
  const ended: string[] = [];
  const note = (what: string) => () => void ended.push(what);
  const silent = channel<string>({ capacity: 1 });
  let opened = 0;

  void sleep(3_600_000, timers).then(note("slept an hour"));
  void new Watch(0).changed(0, { timeoutMs: 60_000, timers }).then((outcome) => ended.push(outcome));
  void first(idleTimeout(silent.receiver, 120_000, { timers })).catch((error: unknown) =>
    ended.push(error instanceof TimeoutError ? "idle" : "failed"),
  );
  const items = reconnecting<number>(() => ([[1], [2], [3]][opened++] ?? []) as number[], {
    minMs: 180_000,
    maxMs: 180_000,
    random: () => 0.99999999,
    timers,
  });
  void collect(items, { limit: 3 }).catch(note("never"));
  await timers.settle();
  expect(ended).toEqual([]);
  expect(opened).toBe(1);
  await timers.advance(60_000);
  expect(ended).toEqual(["timed-out"]);
  await timers.advance(60_000);
  expect(ended).toEqual(["timed-out", "idle"]);
  await timers.advance(60_000);
  expect(opened).toBe(2);
  await timers.advance(3_600_000);
  expect(ended).toContain("slept an hour");
});

test("sleep() with timers rejects with the signal's reason, and leaves no timer", async () => {
  const timers = createSimulatedClock();
  const stop = new AbortController();
  const slept = sleep(1000, timers, stop.signal);
  expect(timers.timers).toBe(1);
  stop.abort(new Error("enough"));
  await expect(slept).rejects.toThrow("enough");
  expect(timers.timers).toBe(0);
});

test("systemTimers, fire once, and not when they are cancelled", async () => {
  let fired = 0;
  const cancel = systemTimers.startTimer(1, () => (fired += 1));
  systemTimers.startTimer(1, () => (fired += 1));
  cancel();
  await sleep(5);
  expect(fired).toBe(1);
});
