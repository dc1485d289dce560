/** Time as an input: wall time for stamps, monotonic time for durations. */
export interface Clock {
  /** Microseconds since 1970, by the machine's wall clock. */
  wallMicros(): number;
  /** Milliseconds of a clock that never jumps. */
  monotonicMs(): number;
}

export const systemClock: Clock = {
  // performance.timeOrigin + now() would drift from the wall clock for as long as the process lives.
  wallMicros: () => Date.now() * 1000,
  monotonicMs: () => performance.now(),
};
