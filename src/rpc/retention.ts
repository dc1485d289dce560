import { invalidArgument, type Retention, retentionAgeBounds } from "../core/index.js";
import type { Duration } from "../gen/google/protobuf/duration.js";
import type { Retention as RetentionMessage } from "../gen/millrace/v1/topic_service.js";
import { encodeRetention } from "../wire/index.js";
import { isWellFormed } from "./duration-ms.js";

/** The retention of a request. Throws `invalid-argument` that names the field. */
export function checkRetention(asked: RetentionMessage | undefined): Retention {
  return { ageMs: ageOf(asked?.age), records: asked?.records ?? 0, bytes: asked?.bytes ?? 0 };
}

/** Undefined if the topic has no retention of its own. */
export function optionalRetention({ ageMs, records, bytes }: Retention): RetentionMessage | undefined {
  if (ageMs === 0 && records === 0 && bytes === 0) return undefined;
  return encodeRetention({ ageMs, records, bytes });
}

/** An age of 0 is no bound, like an unset one. */
function ageOf(age: Duration | undefined): number {
  const { seconds, nanos } = age ?? { seconds: 0, nanos: 0 };
  if (seconds === 0 && nanos === 0) return 0;
  const { minMs, maxMs } = retentionAgeBounds;
  const ms = seconds * 1000 + nanos / 1_000_000;
  if (nanos % 1_000_000 !== 0) throw invalidArgument("retention.age", "must be whole milliseconds");
  if (!isWellFormed({ seconds, nanos }) || ms < minMs || ms > maxMs) {
    throw invalidArgument("retention.age", "must be from 1 second to 100 years, or 0 for no bound");
  }
  return ms;
}
