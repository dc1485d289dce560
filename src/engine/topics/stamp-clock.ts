/**
 * The clock for stamps, ages and lifetimes: the database's clock, which all nodes share. A node asks for it now and
 * then, and adds the time that has passed since. The node's own wall clock decides nothing. If it were behind, other
 * nodes would remove its records at once. If it were ahead, it would spoil its topics for good, since time never goes
 * backwards within a topic.
 */

import type { Clock } from "../../telemetry/index.js";

/** A wall clock that differs from the database's by more is reported to the operator. */
const apartMicrosMax = 60_000_000;
/** Resolution of the clock that runs on while the machine sleeps. */
const bootCoarseMs = 1000;

export interface StampClock {
  /** Microseconds since 1970. */
  now(): number;
  /** Takes over what the database's clock says now. */
  anchor(databaseMicros: number): void;
}

/**
 * `onApart` gets by how much the wall clock is ahead of the database's. It is called once, and again only after they
 * agreed.
 */
export function createStampClock(
  clock: Pick<Clock, "wallMicros" | "monotonicMs" | "bootMs">,
  databaseMicros: number,
  onApart: (aheadMicros: number) => void,
): StampClock {
  let anchorMicros = 0;
  let anchoredAtMs = 0;
  let bootedAtMs = 0;
  let isApart = false;

  function anchor(micros: number): void {
    anchorMicros = micros;
    anchoredAtMs = clock.monotonicMs();
    bootedAtMs = clock.bootMs();
    const aheadMicros = clock.wallMicros() - micros;
    const wasApart = isApart;
    isApart = Math.abs(aheadMicros) > apartMicrosMax;
    if (isApart && !wasApart) onApart(aheadMicros);
  }

  anchor(databaseMicros);
  return {
    now() {
      // The monotonic clock may stand still while the machine sleeps.
      const passedMs = Math.max(clock.monotonicMs() - anchoredAtMs, clock.bootMs() - bootedAtMs - bootCoarseMs);
      return anchorMicros + Math.round(passedMs * 1000);
    },
    anchor,
  };
}
