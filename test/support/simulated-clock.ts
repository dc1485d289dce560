/**
 * A clock whose time moves only when a test says so. Its timers fire in the order of their time, each in a turn of the event
 * loop of its own, and what it starts settles before the next one fires: so a minute of waiting takes no time, and happens
 * in the same order each time.
 */

import type { Clock } from "../../src/telemetry/index.js";

export interface SimulatedClockOptions {
  /** What the wall clock says at first, in microseconds since 1970. Default: the machine's. */
  readonly wallMicros?: number;
  /** Whether work is under way that no timer waits for, in a database say. It is waited for before time moves. */
  readonly isBusy?: () => boolean;
}

export interface SimulatedClock extends Clock {
  /** Moves all clocks by `ms`, and fires what is due on the way. */
  advance(ms: number): Promise<void>;
  /** Waits until everything that was started has come to rest, without moving time. */
  settle(): Promise<void>;
  /** Sets the wall clock forward by `ms`, or back. */
  jumpWall(ms: number): void;
  /** The machine sleeps: the monotonic clock and its timers stand still meanwhile. */
  sleepMachine(ms: number): void;
  /** The same time for a process of its own, whose timers end with it. */
  forProcess(): ProcessClock;
  /** Timers that wait. */
  readonly timers: number;
}

export interface ProcessClock extends Clock {
  /** Its timers never fire any more. */
  kill(): void;
}

interface Timer {
  readonly dueMs: number;
  readonly callback: () => void;
}

/** Turns of the event loop in which nothing happens, before all is taken to have come to rest. */
const quietTurns = 6;

export function createSimulatedClock(options: SimulatedClockOptions = {}): SimulatedClock {
  const { wallMicros = Date.now() * 1000, isBusy = () => false } = options;
  let monotonicMs = 0;
  let asleepMs = 0;
  let wallAheadMs = 0;
  /** In the order in which they were started, which is the order among those of the same time. */
  const timers = new Set<Timer>();

  async function settle(): Promise<void> {
    for (let quiet = 0; quiet < quietTurns; ) {
      await new Promise((resolve) => setImmediate(resolve));
      quiet = isBusy() ? 0 : quiet + 1;
    }
  }

  function firstDue(untilMs: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of timers) {
      if (timer.dueMs <= untilMs && (first === undefined || timer.dueMs < first.dueMs)) first = timer;
    }
    return first;
  }

  function startTimer(ms: number, callback: () => void): () => void {
    // As Node's timers, none fires in the turn that starts it.
    const timer = { dueMs: monotonicMs + Math.max(1, ms), callback };
    timers.add(timer);
    return () => timers.delete(timer);
  }

  const clock: Clock = {
    wallMicros: () => wallMicros + Math.round((monotonicMs + asleepMs + wallAheadMs) * 1000),
    monotonicMs: () => monotonicMs,
    bootMs: () => monotonicMs + asleepMs,
    startTimer,
  };
  return {
    ...clock,
    settle,
    async advance(ms) {
      const untilMs = monotonicMs + ms;
      await settle();
      for (let timer = firstDue(untilMs); timer !== undefined; timer = firstDue(untilMs)) {
        timers.delete(timer);
        monotonicMs = Math.max(monotonicMs, timer.dueMs);
        timer.callback();
        await settle();
      }
      monotonicMs = untilMs;
    },
    jumpWall(ms) {
      wallAheadMs += ms;
    },
    sleepMachine(ms) {
      asleepMs += ms;
    },
    forProcess() {
      let isAlive = true;
      const own = new Set<() => void>();
      return {
        ...clock,
        startTimer(ms, callback) {
          if (!isAlive) return () => {};
          const cancelTimer = startTimer(ms, () => {
            own.delete(cancel);
            callback();
          });
          const cancel = (): void => {
            own.delete(cancel);
            cancelTimer();
          };
          own.add(cancel);
          return cancel;
        },
        kill() {
          isAlive = false;
          for (const cancel of own) cancel();
        },
      };
    },
    get timers() {
      return timers.size;
    },
  };
}
