import { invalidArgument } from "../core/index.js";
import type { Duration } from "../gen/google/protobuf/duration.js";

/** A duration's nanoseconds have its sign and are less than a second. */
export function isWellFormed({ seconds, nanos }: Duration): boolean {
  return Math.abs(nanos) <= 999_999_999 && seconds * nanos >= 0;
}

/** A duration in milliseconds, with fractions. `field` is its path as written in proto. */
export function durationMs({ seconds, nanos }: Duration, field: string): number {
  if (!isWellFormed({ seconds, nanos })) {
    throw invalidArgument(field, "must have nanos below a second, with the same sign as its seconds");
  }
  return seconds * 1000 + nanos / 1_000_000;
}

/** A duration within bounds, rounded up to whole milliseconds. */
export function boundedMs(
  duration: Duration,
  field: string,
  { min, max }: { readonly min: number; readonly max: number },
): number {
  const ms = durationMs(duration, field);
  if (ms < min || ms > max) {
    throw invalidArgument(field, `must be from ${min / 1000} to ${max / 1000} seconds, got ${ms / 1000}`);
  }
  return Math.ceil(ms);
}
