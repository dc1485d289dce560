import { expect, it } from "vitest";
import { createStampClock } from "../../../src/engine/topics/stamp-clock.js";

const minuteMicros = 60_000_000;

it("StampClock follows the database's clock, and reports a wall clock that does not agree with it", () => {
  let wall = 1000 * minuteMicros;
  let monotonicMs = 0;
  let asleepMs = 0;
  const told: number[] = [];
  const passed = { monotonicMs: () => monotonicMs, bootMs: () => monotonicMs + asleepMs };
  const clock = createStampClock({ wallMicros: () => wall, ...passed }, wall - 1000, (ahead) => told.push(ahead));
  const started = wall - 1000;
  expect(clock.now()).toBe(started);
  // Whatever the wall clock says.
  for (const minutes of [-90, 90]) {
    wall = started + minutes * minuteMicros;
    monotonicMs += 1000.5;
    expect(clock.now()).toBe(started + monotonicMs * 1000);
  }
  // The monotonic clock stood still while the machine slept.
  asleepMs = 30 * 60_000;
  expect(clock.now()).toBe(started + (monotonicMs + asleepMs - 1000) * 1000);
  expect(told).toEqual([]);
  const later = started + 40 * minuteMicros;
  for (const aheadMinutes of [0.5, 2, 3, -0.5, -2, -3]) {
    wall = later + aheadMinutes * minuteMicros;
    clock.anchor(later);
  }
  expect(clock.now()).toBe(later);
  expect(told).toEqual([2 * minuteMicros, -2 * minuteMicros]);
});
