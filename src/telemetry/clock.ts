import { uptime } from "node:os";

/** Time as an input: wall time for people, monotonic time and timers for everything that is measured in durations. */
export interface Clock {
  /** Microseconds since 1970 by the machine's wall clock. It may jump: show it to people, but decide nothing by it. */
  wallMicros(): number;
  /** Milliseconds of a clock that never jumps. It may stop while the machine sleeps. */
  monotonicMs(): number;
  /**
   * Milliseconds of a clock that never jumps, and that runs while the machine sleeps. It is coarse: up to 20 ms late, or up
   * to a second where the system counts seconds. For deadlines that others keep too, such as a lease in the database.
   */
  bootMs(): number;
  /**
   * Calls `callback` once, `ms` milliseconds from now (0 to 2³¹ - 1) by the monotonic clock. Returns a function that
   * cancels the timer, and has no effect once it has fired.
   */
  startTimer(ms: number, callback: () => void): () => void;
}

/** Asking the system costs microseconds, so its answer is reused for this long. */
const bootReuseMs = 10;
let bootMs = 0;
let bootAskedAtMs = Number.NEGATIVE_INFINITY;

export const systemClock: Clock = {
  // performance.timeOrigin + now() would drift from the wall clock for as long as the process lives.
  wallMicros: () => Date.now() * 1000,
  monotonicMs: () => performance.now(),
  bootMs() {
    const nowMs = performance.now();
    if (nowMs - bootAskedAtMs >= bootReuseMs) {
      bootAskedAtMs = nowMs;
      // macOS computes it from the wall clock, which may be set back.
      bootMs = Math.max(bootMs, uptime() * 1000);
    }
    return bootMs;
  },
  startTimer(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};
