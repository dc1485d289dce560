import type { Position, WhenBehind, WhenTrimmed } from "../core/index.js";
import { Trimmed_Policy } from "../gen/millrace/v1/record.js";
import {
  FollowRequest_WhenBehind,
  FollowResponse,
  FollowResponse_Heartbeat_Waiting,
  RecordServiceService,
} from "../gen/millrace/v1/record_service.js";
import { filterMap } from "../streams/index.js";
import { decodeRecordsMessage, type RecordsMessage } from "../wire/index.js";
import type { Connection } from "./connection.js";
import { type Place, type RecordPage, type RecordStream, recordStream } from "./record-stream.js";
import { type Reconnecting, resumingMessages, type ResumeOptions } from "./resuming-messages.js";
import { type Skipped, skippedOf } from "./skipped.js";
import { type Start, startMessage } from "./start.js";

/** What happens to a follow besides records. Events come in order with the records around them. */
export type FollowEvent =
  /** The server has confirmed the start; again after each reconnection. */
  | {
      readonly type: "started";
      readonly position: Position;
      readonly earliestOffset: number;
      readonly nextOffset: number;
    }
  /** All that the topic held was delivered; what follows is live. */
  | { readonly type: "caught-up"; readonly position: Position }
  /** The stream was live, was read too slowly, and goes on from the database. */
  | { readonly type: "fell-behind"; readonly position: Position; readonly lag: number }
  | Skipped
  /** Nothing else comes, and why. */
  | { readonly type: "heartbeat"; readonly nextOffset: number; readonly waiting: "new-records" | "database" }
  /** The topic is closed and everything was delivered: the stream ends. */
  | { readonly type: "closed"; readonly position: Position }
  | Reconnecting;

export interface FollowOptions extends ResumeOptions {
  /** Default: only new records. */
  readonly start?: Start | undefined;
  /** What to do when this stream is read so slowly that its next record left the node's memory. Default catch-up. */
  readonly whenBehind?: WhenBehind | undefined;
  /** What to do when the next record is no longer kept at all. Default fail: an OutOfRangeError. */
  readonly whenTrimmed?: WhenTrimmed | undefined;
  /** Told what happens besides records. What it throws ends the stream. */
  readonly onEvent?: ((event: FollowEvent) => void) | undefined;
  /** A server that sends nothing for so long, heartbeats neither, is taken for dead, in milliseconds. Default 45 000. */
  readonly silenceMs?: number | undefined;
  /** Only records for which this CEL expression is true. Default: all. */
  readonly filter?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

const behindPolicies = {
  "catch-up": FollowRequest_WhenBehind.CATCH_UP,
  skip: FollowRequest_WhenBehind.SKIP,
  fail: FollowRequest_WhenBehind.FAIL,
} as const satisfies Record<WhenBehind, FollowRequest_WhenBehind>;

export const trimmedPolicies = {
  fail: Trimmed_Policy.FAIL,
  skip: Trimmed_Policy.SKIP,
} as const satisfies Record<WhenTrimmed, Trimmed_Policy>;

const followShape = { ...RecordServiceService.follow, responseDeserialize: decodeRecordsMessage };

/**
 * Follows a topic: one uninterrupted sequence of records over as many calls as it takes. After a failure of transport
 * or server it resumes from the last position that a message gave; each message is handed on whole, so nothing is
 * skipped and nothing comes twice (invariant 5). A start at the latest is fixed by the server's first message; until
 * that came, a retry starts at what is the latest then.
 */
export function followTopic(connection: Connection, topic: string, options: FollowOptions): RecordStream {
  const place: Place = { position: undefined };
  let start: Start = options.start ?? "latest";
  const messages = resumingMessages<RecordsMessage>({
    open: async () =>
      connection.serverStream(followShape, {
        topic,
        start: startMessage(start),
        whenBehind: behindPolicies[options.whenBehind ?? "catch-up"],
        whenTrimmed: trimmedPolicies[options.whenTrimmed ?? "fail"],
        filter: options.filter ?? "",
      }),
    // A server that says hello and breaks off again must not be called every 100 ms.
    isProgress: (message) => message.records.length > 0 || eventOf(message)?.type === "heartbeat",
    onReconnecting: (event) => options.onEvent?.(event),
    connection,
    silenceMs: options.silenceMs ?? 45_000,
    backoff: options.backoff,
    giveUpAfterMs: options.giveUpAfterMs,
    signal: options.signal,
  });
  const pages = filterMap(messages, (message): RecordPage | undefined => {
    const { records, next } = message;
    if (next !== undefined) start = { position: next };
    const event = eventOf(message);
    // Everything before this message has been delivered, or it would not have been pulled.
    if (records.length === 0 && next !== undefined) place.position = next;
    if (event !== undefined) options.onEvent?.(event);
    return records.length > 0 && next !== undefined ? { records, next } : undefined;
  });
  return recordStream(pages, place, (record, epoch) => ({ epoch, offset: record.offset + 1 }));
}

const nowhere: Position = { epoch: 0, offset: 0 };

function eventOf({ rest, next }: RecordsMessage): FollowEvent | undefined {
  if (rest === undefined) return undefined;
  const { event } = FollowResponse.decode(rest);
  const position = next ?? nowhere;
  switch (event?.$case) {
    case undefined:
      return undefined;
    case "started": {
      const { earliestOffset = 0, nextOffset = 0 } = event.value;
      return { type: "started", position, earliestOffset, nextOffset };
    }
    case "caughtUp":
      return { type: "caught-up", position };
    case "fellBehind":
      return { type: "fell-behind", position, lag: event.value.lag };
    case "skipped":
      return skippedOf(event.value);
    case "heartbeat": {
      const isDatabase = event.value.waiting === FollowResponse_Heartbeat_Waiting.DATABASE;
      return {
        type: "heartbeat",
        nextOffset: event.value.nextOffset ?? 0,
        waiting: isDatabase ? "database" : "new-records",
      };
    }
    case "closed":
      return { type: "closed", position };
    default:
      throw event satisfies never;
  }
}
