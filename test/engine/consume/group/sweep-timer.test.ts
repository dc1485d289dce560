import { describe, expect, test } from "vitest";
import { SweepTimer } from "../../../../src/engine/consume/group/sweep-timer.js";
import { createSimulatedClock } from "../../../support/simulated-clock.js";

const never = Number.POSITIVE_INFINITY;

function open() {
  const clock = createSimulatedClock();
  const sweptMs: number[] = [];
  const timer = new SweepTimer(clock, () => sweptMs.push(clock.monotonicMs()));
  return { clock, timer, sweptMs };
}

describe("SweepTimer", () => {
  const waits: readonly [ackDeadlineMs: number, redeliveryMs: number, waitMs: number][] = [
    [2000, never, 100],
    [10, never, 20],
    [600_000, never, 500],
    [600_000, 30, 30],
    [600_000, -5, 1],
  ];
  test.each(waits)(
    "a deadline of %d ms and a redelivery in %d ms are swept after %d ms",
    async (deadline, due, wait) => {
      const { clock, timer, sweptMs } = open();
      timer.start(clock.monotonicMs(), deadline, due);
      await clock.advance(1000);
      expect(sweptMs).toEqual([wait]);
    },
  );

  test("is moved to an earlier time, and never to a later one", async () => {
    const { clock, timer, sweptMs } = open();
    timer.start(clock.monotonicMs(), 10_000, never);
    timer.start(clock.monotonicMs(), 10_000, 40);
    await clock.advance(30);
    timer.start(clock.monotonicMs(), 10_000, never);
    await clock.advance(1000);
    expect(sweptMs).toEqual([40]);
  });

  test("restarts after it was cancelled", async () => {
    const { clock, timer, sweptMs } = open();
    timer.start(clock.monotonicMs(), 10_000, 40);
    timer.cancel();
    await clock.advance(100);
    timer.start(clock.monotonicMs(), 10_000, 40);
    await clock.advance(100);
    expect(sweptMs).toEqual([140]);
  });
});
