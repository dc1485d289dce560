/**
 * Time as an input of waits: a clock for durations, and timers that run by it. The default is the process's clock. With a
 * simulated one, waits can be tested.
 */
export interface Timers {
  /** Milliseconds of a clock that never jumps and never goes backwards. */
  monotonicMs(): number;
  /**
   * Calls `callback` once, `ms` milliseconds from now (0 to 2³¹ - 1). Returns a function that cancels the timer, and has no
   * effect once it has fired.
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
