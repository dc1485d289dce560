/**
 * The time that records are stamped with, and that ages and lifetimes are reckoned from: the database's, which all nodes
 * share. A node asks for it now and then, and adds what has passed since. Its own wall clock decides nothing: one that is
 * behind would have other nodes remove its records at once, and one that is ahead would spoil its topics for good, since
 * time never goes backwards within a topic.
 */

import type { Clock } from "../../telemetry/index.js";

/** The operator is told of a wall clock that is further from the database's. */
const apartMicrosMax = 60_000_000;
/** How coarse the clock is that goes on while the machine sleeps. */
const bootCoarseMs = 1000;

export interface StampClock {
  /** Microseconds since 1970. */
  now(): number;
  /** What the database's clock says now. */
  anchor(databaseMicros: number): void;
}

/** `onApart` is told once, until they agree again: how far the wall clock is ahead of the database's. */
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
