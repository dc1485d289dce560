/**
 * The time that records are stamped with. Time never goes backwards within a topic, so one node with a clock far ahead
 * would spoil a topic for good: a wall clock that is more than a minute ahead of what the database said, plus the time
 * that has passed since, is not believed, and that sum is used instead (design §3).
 */

import type { Clock } from "../telemetry/index.js";

const aheadMicrosMax = 60_000_000;

export interface StampClock {
  /** Microseconds since 1970. */
  now(): number;
  /** What the database's clock says now: the anchor for what the wall clock may claim. */
  anchor(databaseMicros: number): void;
}

export function createStampClock(
  clock: Pick<Clock, "wallMicros" | "monotonicMs">,
  onDisbelief: (aheadMicros: number) => void,
): StampClock {
  let anchorMicros: number | undefined;
  let anchoredAtMs = 0;
  let isBelieved = true;
  return {
    now() {
      const wall = clock.wallMicros();
      if (anchorMicros === undefined) return wall;
      const expected = anchorMicros + Math.round((clock.monotonicMs() - anchoredAtMs) * 1000);
      const ahead = wall - expected;
      if (ahead <= aheadMicrosMax) {
        isBelieved = true;
        return wall;
      }
      if (isBelieved) onDisbelief(ahead);
      isBelieved = false;
      return expected;
    },
    anchor(databaseMicros) {
      anchorMicros = databaseMicros;
      anchoredAtMs = clock.monotonicMs();
    },
  };
}
