import { expect, it } from "vitest";
import { createStampClock } from "../../src/engine/stamp-clock.js";

it("StampClock believes a wall clock within a minute of the database's, and none further ahead", () => {
  let wall = 1_000_000_000;
  let monotonicMs = 0;
  const told: number[] = [];
  const clock = createStampClock({ wallMicros: () => wall, monotonicMs: () => monotonicMs }, (ahead) =>
    told.push(ahead),
  );
  expect(clock.now()).toBe(wall);
  clock.anchor(wall);
  wall += 59_000_000;
  expect(clock.now()).toBe(wall);
  wall = 1_000_000_000 + 3_600_000_000;
  monotonicMs = 2000;
  expect(clock.now()).toBe(1_002_000_000);
  expect(clock.now()).toBe(1_002_000_000);
  expect(told).toEqual([3_598_000_000]);
  clock.anchor(wall);
  expect(clock.now()).toBe(wall);
});
