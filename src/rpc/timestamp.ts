import type { Timestamp } from "../gen/google/protobuf/timestamp.js";

/** Converts microseconds since 1970. `nanos` always count forward, also before 1970. */
export function timestampOfMicros(micros: number): Timestamp {
  const seconds = Math.floor(micros / 1_000_000);
  return { seconds, nanos: (micros - seconds * 1_000_000) * 1000 };
}
