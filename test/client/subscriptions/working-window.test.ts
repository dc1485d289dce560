import { describe, expect, test } from "vitest";
import { WorkingWindow } from "../../../src/client/subscriptions/working-window.js";

const bytes = 4_194_304;

/** A consumer that works on one record after the other, and a server that fills its window. */
function simulated(options: { readonly asked?: number; readonly first?: number; readonly deadlineMs?: number } = {}) {
  const { asked = 1000, first, deadlineMs = 8000 } = options;
  const window = new WorkingWindow({ asked: { records: asked, bytes }, firstRecords: first });
  window.deadlineMs = deadlineMs;
  let nowMs = 0;
  let tickMs = deadlineMs / 8;
  let arrivals: number[] = [];
  let released = 0;
  const clock = () => nowMs;
  const fill = (outstanding: number) => {
    while (arrivals.length + outstanding < window.window.records) arrivals.push(nowMs);
    window.fed(nowMs);
  };
  const pass = (ms: number) => {
    const endMs = nowMs + ms;
    for (; tickMs <= endMs; tickMs += deadlineMs / 8) {
      nowMs = tickMs;
      window.passed(nowMs);
      const late = arrivals.filter((atMs) => nowMs - atMs >= deadlineMs / 2);
      arrivals = arrivals.slice(late.length);
      released += late.length;
      const arrivedMs = late.at(-1);
      if (arrivedMs !== undefined) window.released(arrivedMs, nowMs);
    }
    nowMs = endMs;
  };
  return {
    window,
    /** Works `ms` on each record. Returns how many were released meanwhile. */
    work(records: number, ms: number): number {
      released = 0;
      for (let count = 0; count < records; count++) {
        if (arrivals.length === 0) window.starved(0, clock);
        fill(0);
        arrivals.shift();
        window.begun(1, clock);
        fill(1);
        pass(ms);
      }
      return released;
    },
  };
}

describe("WorkingWindow", () => {
  test("begins at its first size, and doubles up to the requested one while the work is quick", () => {
    const { window, work } = simulated({ first: 16 });
    const seen = [window.window.records];
    for (const records of [16, 32, 64, 128, 256, 512, 1024]) {
      work(records, 0.1);
      seen.push(window.window.records);
    }
    expect(seen).toEqual([16, 32, 64, 128, 256, 512, 1000, 1000]);
    expect(window.window.bytes).toBe(bytes);
    expect(simulated().window.window.records).toBe(1000);
  });

  test("shrinks once, to what is begun in time, and stays there", () => {
    const { window, work } = simulated();
    // A quarter of a second each: 16 in half a deadline.
    const bounced = work(30, 250);
    const after = window.window.records;
    expect(bounced).toBeGreaterThan(900);
    expect(after).toBeGreaterThanOrEqual(8);
    expect(after).toBeLessThanOrEqual(16);
    expect(work(500, 250)).toBe(0);
    expect(window.window.records).toBe(after);
  });

  test("lets no record wait behind work that takes longer than half a deadline", () => {
    const { window, work } = simulated({ first: 16 });
    work(2, 6000);
    expect(window.window.records).toBe(1);
    expect(work(50, 6000)).toBe(0);
  });

  test("never falls below what is worked on at once", () => {
    const { window, work } = simulated({ first: 16 });
    window.concurrency = 20;
    expect(window.window.records).toBe(20);
    expect(window.released(0, 100)).toBe(true);
    work(1, 20_000);
    expect(window.window.records).toBe(20);
  });

  test("shrinks once for records that arrived before the server knew the smaller window", () => {
    const { window } = simulated();
    expect(window.released(0, 4000)).toBe(true);
    const { records } = window.window;
    expect(window.released(900, 5000)).toBe(false);
    expect(window.released(4900, 9000)).toBe(false);
    expect(window.window.records).toBe(records);
    expect(window.released(5000, 9000)).toBe(true);
  });

  test("grows back when the work is quick again", () => {
    const { window, work } = simulated();
    work(10, 6000);
    expect(window.window.records).toBe(1);
    work(5000, 0.1);
    expect(window.window.records).toBe(1000);
  });

  test("does not count a quiet topic as slow work", () => {
    const { window } = simulated({ first: 16 });
    let nowMs = 0;
    for (let count = 0; count < 20; count++) {
      window.starved(0, () => nowMs);
      nowMs += 60_000;
      window.passed(nowMs);
      window.fed(nowMs);
      window.begun(1, () => nowMs);
    }
    expect(window.window.records).toBe(32);
  });

  test("grows when a consumer has a whole window in hand and waits for more", () => {
    const { window } = simulated({ first: 16 });
    expect(window.starved(15, () => 0)).toBe(false);
    expect(window.starved(16, () => 0)).toBe(true);
    expect(window.window.records).toBe(32);
    expect(window.starved(16, () => 0)).toBe(false);
  });

  test("follows the user's request, whatever it has measured", () => {
    const { window, work } = simulated();
    window.asked = { records: 0, bytes };
    expect(window.released(0, 10)).toBe(false);
    expect(window.window.records).toBe(0);
    window.asked = { records: 1000, bytes };
    expect(window.window.records).toBe(1000);
    work(30, 250);
    window.asked = { records: 5, bytes: 3 };
    expect(window.window).toEqual({ records: 5, bytes: 3 });
  });
});
