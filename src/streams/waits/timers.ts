/**
 * Time, as whatever waits takes it: a clock for durations, and timers that run by it. The default is the process's own;
 * another one makes waits testable, or lets them follow a simulated clock.
 */
export interface Timers {
  /** Milliseconds of a clock that never jumps and never goes backwards. */
  monotonicMs(): number;
  /**
   * Calls `callback` once, `ms` milliseconds from now (0 to 2³¹ - 1). The function that it returns cancels the timer, and
   * does nothing once the timer has fired.
   */
  startTimer(ms: number, callback: () => void): () => void;
}

/** The process's clock: `performance.now()` and `setTimeout`. */
export const systemTimers: Timers = {
  monotonicMs: () => performance.now(),
  startTimer(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};
