/** Time as an input: wall time for stamps, monotonic time and timers for everything that is reckoned in durations. */
export interface Clock {
  /** Microseconds since 1970, by the machine's wall clock. It may jump: nothing but stamps is decided by it. */
  wallMicros(): number;
  /** Milliseconds of a clock that never jumps. */
  monotonicMs(): number;
  /**
   * Calls `callback` once, `ms` milliseconds from now (0 to 2³¹ - 1) by the monotonic clock. The function that it returns
   * cancels the timer, and does nothing once the timer has fired.
   */
  startTimer(ms: number, callback: () => void): () => void;
}

export const systemClock: Clock = {
  // performance.timeOrigin + now() would drift from the wall clock for as long as the process lives.
  wallMicros: () => Date.now() * 1000,
  monotonicMs: () => performance.now(),
  startTimer(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};
