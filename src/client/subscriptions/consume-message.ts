import {
  ConsumeResponse,
  type ConsumeResponse_Confirmed as Confirmed,
} from "../../gen/millrace/v1/subscription_service.js";
import { decodeRecordsMessage, type ReceivedRecord } from "../../wire/index.js";

/** One message of a Consume call. */
export interface ConsumeMessage {
  readonly records: readonly ReceivedRecord[];
  readonly attempt: number;
  readonly confirmed: Confirmed | undefined;
  readonly event: ConsumeResponse["event"];
}

/** `attempt`, a varint. */
const attemptTag = 0x10;

/** Decodes a response; a record's fields are decoded on first use. Throws a RangeError when the response is broken. */
export function decodeConsumeMessage(bytes: Buffer): ConsumeMessage {
  const { records, rest } = decodeRecordsMessage(bytes);
  if (rest === undefined) return { records, attempt: 1, confirmed: undefined, event: undefined };
  // Fast path: most deliveries have no other field than the attempt.
  const attempt = rest[1] as number;
  if (rest.length === 2 && rest[0] === attemptTag && attempt < 0x80) {
    return { records, attempt, confirmed: undefined, event: undefined };
  }
  const { confirmed, event, ...others } = ConsumeResponse.decode(rest);
  return { records, attempt: others.attempt, confirmed, event };
}
