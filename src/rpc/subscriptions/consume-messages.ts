import type { ConsumeEvent, ConsumeMessage } from "../../engine/index.js";
import {
  ConsumeResponse,
  type ConsumeResponse_Confirmed,
  type OffsetRange,
} from "../../gen/millrace/v1/subscription_service.js";
import {
  durationOfMs,
  encodedConsumerWaiting,
  encodedSharing,
  encodedSkippedReason,
  encodeDeliveryMessage,
} from "../../wire/index.js";

/** Sends a delivery's records as they are stored. */
export function encodeConsumeMessage({ runs, attempt, confirmed, event }: ConsumeMessage): Buffer {
  const rest = ConsumeResponse.encode({
    records: [],
    attempt,
    confirmed: confirmed && encodeConfirmed(confirmed),
    event: event && encodeEvent(event),
  }).finish();
  return encodeDeliveryMessage(runs, rest);
}

function encodeConfirmed(confirmed: NonNullable<ConsumeMessage["confirmed"]>): ConsumeResponse_Confirmed {
  const { acknowledged, rejected, parked, extended, released, stale } = confirmed;
  return {
    acknowledged: ranges(acknowledged),
    rejected: ranges(rejected),
    parked: ranges(parked),
    extended: ranges(extended),
    released: ranges(released),
    stale: stale.map(({ range, attempt }) => ({ offsets: range, attempt })),
  };
}

/** The generated type is a mutable array, but the generated code only reads it. */
function ranges(given: readonly OffsetRange[]): OffsetRange[] {
  return given as OffsetRange[];
}

function encodeEvent(event: ConsumeEvent): NonNullable<ConsumeResponse["event"]> {
  switch (event.kind) {
    case "started": {
      const { session, cursor, window, ackDeadlineMs, sharing } = event;
      const ackDeadline = durationOfMs(ackDeadlineMs);
      return { $case: "started", value: { session, cursor, window, ackDeadline, sharing: encodedSharing[sharing] } };
    }
    case "window-changed":
      return { $case: "windowChanged", value: event.window };
    case "heartbeat": {
      const { kind: _, waiting, ...others } = event;
      return { $case: "heartbeat", value: { ...others, waiting: encodedConsumerWaiting[waiting] } };
    }
    case "skipped": {
      const { firstOffset, nextOffset } = event;
      return { $case: "skipped", value: { firstOffset, nextOffset, reason: encodedSkippedReason.trimmed } };
    }
    case "closed":
      return { $case: "closed", value: {} };
    default:
      throw event satisfies never;
  }
}
