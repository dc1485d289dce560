import type { Timestamp } from "../gen/google/protobuf/timestamp.js";

/** Microseconds since 1970 as google.protobuf.Timestamp has them: `nanos` count forward, before 1970 too. */
export function timestampOfMicros(micros: number): Timestamp {
  const seconds = Math.floor(micros / 1_000_000);
  return { seconds, nanos: (micros - seconds * 1_000_000) * 1000 };
}
