import type { ConsumerWaiting, Position, Sharing, Window } from "../../core/index.js";
import type { ConsumeResponse } from "../../gen/millrace/v1/subscription_service.js";
import { decodeConsumerWaiting, decodedSharing, msOfDuration, positionOf } from "../../wire/index.js";
import type { Reconnecting } from "../resuming-messages.js";
import { type Skipped, skippedOf } from "../skipped.js";
import { windowOfMessage } from "./window.js";

/** What a consumption reports besides records. */
export type ConsumeEvent =
  /** A call has begun: the first, or one after a reconnection. */
  | {
      readonly type: "started";
      /** The node's session of the subscription; 0 for an ephemeral consumer. */
      readonly session: number;
      /** The subscription's cursor; for an ephemeral consumer, where it starts. */
      readonly cursor: Position;
      readonly window: Window;
      readonly ackDeadlineMs: number;
      readonly sharing: Sharing;
    }
  /**
   * The window from now on. It is smaller than requested in two cases: the consumer does not begin delivered records
   * within half of their deadline, or the node has to share its memory among many consumers.
   */
  | { readonly type: "window-changed"; readonly window: Window }
  /** Nothing else was sent for a while; `waiting` says why. */
  | {
      readonly type: "heartbeat";
      readonly waiting: ConsumerWaiting;
      readonly outstandingRecords: number;
      readonly outstandingBytes: number;
      readonly window: Window;
      readonly cursor: Position;
      /** The topic's; undefined while the server does not know it. */
      readonly nextOffset: number | undefined;
      /** Records that wait for redelivery on that node. */
      readonly retryRecords: number;
    }
  | Skipped
  /** The topic is closed and all records are acknowledged or parked: the consumption ends. */
  | { readonly type: "closed" }
  | Reconnecting;

/** The event in a message, if it has one. */
export function eventOf(event: ConsumeResponse["event"]): ConsumeEvent | undefined {
  switch (event?.$case) {
    case undefined:
      return undefined;
    case "started": {
      const { session, cursor, window, ackDeadline, sharing } = event.value;
      return {
        type: "started",
        session,
        cursor: positionOf(cursor),
        window: windowOfMessage(window),
        ackDeadlineMs: ackDeadline === undefined ? 0 : msOfDuration(ackDeadline),
        sharing: decodedSharing.get(sharing) ?? "shared",
      };
    }
    case "windowChanged":
      return { type: "window-changed", window: windowOfMessage(event.value) };
    case "heartbeat": {
      const { waiting, outstandingRecords, outstandingBytes, window, cursor, nextOffset, retryRecords } = event.value;
      return {
        type: "heartbeat",
        waiting: decodeConsumerWaiting(waiting),
        outstandingRecords,
        outstandingBytes,
        window: windowOfMessage(window),
        cursor: positionOf(cursor),
        nextOffset,
        retryRecords,
      };
    }
    case "skipped":
      return skippedOf(event.value);
    case "closed":
      return { type: "closed" };
    default:
      throw event satisfies never;
  }
}
