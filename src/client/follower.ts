import type { FollowWaiting, Position, WhenBehind, WhenTrimmed } from "../core/index.js";
import { FollowResponse, RecordServiceService } from "../gen/millrace/v1/record_service.js";
import { filterMap } from "../streams/index.js";
import {
  decodeFollowWaiting,
  decodeRecordsMessage,
  encodedWhenBehind,
  encodedWhenTrimmed,
  positionOf,
  type RecordsMessage,
} from "../wire/index.js";
import type { Connection } from "./connection.js";
import { type Place, type RecordPage, type RecordStream, recordStream } from "./record-stream.js";
import { type Reconnecting, resumingMessages, type ResumeOptions } from "./resuming-messages.js";
import { type Skipped, skippedOf } from "./skipped.js";
import { type Start, startMessage } from "./start.js";

/** What a follow reports besides records. Events are in order with the records around them. */
export type FollowEvent =
  /** The server has confirmed the start; also after each reconnection. */
  | {
      readonly type: "started";
      readonly position: Position;
      readonly earliestOffset: number;
      readonly nextOffset: number;
    }
  /** All records that the topic had were delivered; new ones follow. */
  | { readonly type: "caught-up"; readonly position: Position }
  /** The stream was live and was read too slowly; it continues from the database. `lag` counts records. */
  | { readonly type: "fell-behind"; readonly position: Position; readonly lag: number }
  | Skipped
  /** Nothing else was sent for a while; `waiting` says why. */
  | { readonly type: "heartbeat"; readonly nextOffset: number; readonly waiting: FollowWaiting }
  /** The topic is closed and everything was delivered: the stream ends. */
  | { readonly type: "closed"; readonly position: Position }
  | Reconnecting;

export interface FollowOptions extends ResumeOptions {
  /** Default: only new records. */
  readonly start?: Start | undefined;
  /**
   * What to do when the next record has left the node's memory, because the stream is read slowly. Default catch-up.
   */
  readonly whenBehind?: WhenBehind | undefined;
  /** What to do when the topic no longer keeps the next record. Default fail: an OutOfRangeError. */
  readonly whenTrimmed?: WhenTrimmed | undefined;
  /** Receives events. What it throws ends the stream. */
  readonly onEvent?: ((event: FollowEvent) => void) | undefined;
  /**
   * The client reconnects after this time without any message, not even a heartbeat, in milliseconds. Default 45 000.
   */
  readonly silenceMs?: number | undefined;
  /** Only records for which this CEL expression is true. Default: all. */
  readonly filter?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

const followShape = { ...RecordServiceService.follow, responseDeserialize: decodeRecordsMessage };

/**
 * Follows a topic: one sequence of records over as many calls as it takes. After a failure of the connection or the
 * server it resumes from the position in the last message. Messages are passed on whole, so no record is skipped or
 * repeated (invariant 5). The server's first message fixes what `latest` means; a retry before that message starts at
 * the new end.
 */
export function followTopic(connection: Connection, topic: string, options: FollowOptions): RecordStream {
  const place: Place = { position: undefined };
  let start: Start = options.start ?? "latest";
  const messages = resumingMessages<RecordsMessage>({
    open: async () =>
      connection.serverStream(followShape, {
        topic,
        start: startMessage(start),
        whenBehind: encodedWhenBehind[options.whenBehind ?? "catch-up"],
        whenTrimmed: encodedWhenTrimmed[options.whenTrimmed ?? "fail"],
        filter: options.filter ?? "",
      }),
    // `started` is no progress: a server that accepts calls and then fails must not be called every 100 ms.
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
    // Everything before this message has been delivered: otherwise nobody would have pulled it.
    if (records.length === 0 && next !== undefined) place.position = next;
    if (event !== undefined) options.onEvent?.(event);
    return records.length > 0 && next !== undefined ? { records, next } : undefined;
  });
  return recordStream(pages, place, (record, epoch) => ({ epoch, offset: record.offset + 1 }));
}

function eventOf({ rest, next }: RecordsMessage): FollowEvent | undefined {
  if (rest === undefined) return undefined;
  const { event } = FollowResponse.decode(rest);
  const position = positionOf(next);
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
      const { nextOffset = 0, waiting } = event.value;
      return { type: "heartbeat", nextOffset, waiting: decodeFollowWaiting(waiting) };
    }
    case "closed":
      return { type: "closed", position };
    default:
      throw event satisfies never;
  }
}
