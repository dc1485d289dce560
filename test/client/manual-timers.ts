import type { Timers } from "../../src/streams/index.js";

/** A clock that stands still until a test moves it. */
export interface ManualTimers extends Timers {
  /** Moves the clock by `ms`; each timer fires at its own time. */
  pass(ms: number): void;
  /** How many timers run. */
  readonly running: number;
}

export function manualTimers(): ManualTimers {
  let nowMs = 1000;
  const timers = new Set<{ readonly atMs: number; readonly callback: () => void }>();
  const nextUntil = (endMs: number) =>
    [...timers].filter(({ atMs }) => atMs <= endMs).toSorted((one, other) => one.atMs - other.atMs)[0];
  return {
    monotonicMs: () => nowMs,
    startTimer(ms, callback) {
      const timer = { atMs: nowMs + ms, callback };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    pass(ms) {
      const endMs = nowMs + ms;
      for (let timer = nextUntil(endMs); timer !== undefined; timer = nextUntil(endMs)) {
        timers.delete(timer);
        nowMs = timer.atMs;
        timer.callback();
      }
      nowMs = endMs;
    },
    get running() {
      return timers.size;
    },
  };
}
