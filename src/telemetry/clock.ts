import { uptime } from "node:os";

/** Time as an input: wall time to be told, monotonic time and timers for everything that is reckoned in durations. */
export interface Clock {
  /** Microseconds since 1970, by the machine's wall clock. It may jump: it is for people, and decides nothing. */
  wallMicros(): number;
  /** Milliseconds of a clock that never jumps. It may stand still while the machine sleeps. */
  monotonicMs(): number;
  /**
   * Milliseconds of a clock that never jumps and goes on while the machine sleeps. It is coarse: up to 20 ms behind, and up
   * to a second where the system counts seconds. For what others decide meanwhile, such as a lease that the database ends.
   */
  bootMs(): number;
  /**
   * Calls `callback` once, `ms` milliseconds from now (0 to 2³¹ - 1) by the monotonic clock. The function that it returns
   * cancels the timer, and does nothing once the timer has fired.
   */
  startTimer(ms: number, callback: () => void): () => void;
}

/** Asking the system costs microseconds, so an answer is used for this long. */
const bootAnswerMs = 10;
let bootMs = 0;
let bootAskedAtMs = Number.NEGATIVE_INFINITY;

export const systemClock: Clock = {
  // performance.timeOrigin + now() would drift from the wall clock for as long as the process lives.
  wallMicros: () => Date.now() * 1000,
  monotonicMs: () => performance.now(),
  bootMs() {
    const nowMs = performance.now();
    if (nowMs - bootAskedAtMs >= bootAnswerMs) {
      bootAskedAtMs = nowMs;
      // macOS reckons it from the wall clock: it is never taken back.
      bootMs = Math.max(bootMs, uptime() * 1000);
    }
    return bootMs;
  },
  startTimer(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};
