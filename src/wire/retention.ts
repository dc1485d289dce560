import type { Retention } from "../core/index.js";
import type { Retention as RetentionMessage } from "../gen/millrace/v1/topic_service.js";
import { durationOfMs, msOfDuration } from "./duration.js";

export function encodeRetention({ ageMs, records, bytes }: Retention): RetentionMessage {
  return { age: ageMs === 0 ? undefined : durationOfMs(ageMs), records, bytes };
}

/** Of an answer: the server checks what a request asks for (`rpc/retention.ts`). */
export function decodeRetention({ age, records = 0, bytes = 0 }: Partial<RetentionMessage> = {}): Retention {
  return { ageMs: age === undefined ? 0 : msOfDuration(age), records, bytes };
}
