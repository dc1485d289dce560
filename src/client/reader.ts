import type { Direction, Position, WhenTrimmed } from "../core/index.js";
import { type ReadRequest_Until, ReadResponse, RecordServiceService } from "../gen/millrace/v1/record_service.js";
import { filterMap } from "../streams/index.js";
import { decodeRecordsMessage, encodedDirection, encodedWhenTrimmed, type RecordsMessage } from "../wire/index.js";
import type { Connection } from "./connection.js";
import { type Place, type RecordPage, type RecordStream, recordStream } from "./record-stream.js";
import { type Reconnecting, resumingMessages, type ResumeOptions } from "./resuming-messages.js";
import { type Skipped, skippedOf } from "./skipped.js";
import { exactTime, type Start, startMessage, type Until, wholeNumber } from "./start.js";

export type ReadEvent = Skipped | Reconnecting;

export interface ReadOptions extends ResumeOptions {
  /** Forward the default is the earliest record, backward the latest; a position or offset there is exclusive. */
  readonly start?: Start | undefined;
  /** Default forward. */
  readonly direction?: Direction | undefined;
  /** Forward: stops before this place. Backward: after it. Default: the topic's end at the start of the read. */
  readonly until?: Until | undefined;
  /** The most records to read. Default: no limit. */
  readonly limit?: number | undefined;
  /** What to do when the next record is no longer kept. Default fail: an OutOfRangeError. */
  readonly whenTrimmed?: WhenTrimmed | undefined;
  /** Only records for which this CEL expression is true; `limit` counts those. Default: all. */
  readonly filter?: string | undefined;
  /** Receives events. What it throws ends the stream. */
  readonly onEvent?: ((event: ReadEvent) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A read without progress fails after this time. */
const giveUpAfterMs = 60_000;

const readShape = { ...RecordServiceService.read, responseDeserialize: decodeRecordsMessage };

/**
 * Reads the records of a topic, and ends. An interrupted read resumes from the position in the last message. The server
 * fixes the end when a call starts, and gives it in the first message. It becomes `until` of the next calls, so a resumed
 * read ends where it would have ended. A call that was lost before its first message delivered nothing: the next call then
 * fixes the end.
 */
export function readTopic(connection: Connection, topic: string, options: ReadOptions): RecordStream {
  const place: Place = { position: undefined };
  const isBackward = options.direction === "backward";
  const limit = wholeNumber(options.limit ?? 0, "limit");
  let start: Start = options.start ?? (isBackward ? "latest" : "earliest");
  let until: ReadRequest_Until | undefined = untilMessage(options.until);
  let delivered = 0;

  const open = async () => {
    // All records were delivered before the call was lost; a `limit` of 0 would mean no limit.
    if (limit !== 0 && delivered >= limit) return undefined;
    return connection.serverStream(readShape, {
      topic,
      start: startMessage(start),
      direction: encodedDirection[options.direction ?? "forward"],
      until,
      limit: limit === 0 ? 0 : limit - delivered,
      whenTrimmed: encodedWhenTrimmed[options.whenTrimmed ?? "fail"],
      filter: options.filter ?? "",
    });
  };
  const messages = resumingMessages<RecordsMessage>({
    open,
    isProgress: (message) => message.records.length > 0,
    onReconnecting: (event) => options.onEvent?.(event),
    connection,
    silenceMs: undefined,
    backoff: options.backoff,
    giveUpAfterMs: options.giveUpAfterMs ?? giveUpAfterMs,
    signal: options.signal,
  });
  const pages = filterMap(messages, ({ records, next, rest }): RecordPage | undefined => {
    delivered += records.length;
    if (next !== undefined) start = { position: next };
    if (rest !== undefined) {
      const { skipped, endOffset } = ReadResponse.decode(rest);
      if (endOffset !== undefined) until = untilMessage({ offset: endOffset });
      if (skipped !== undefined) options.onEvent?.(skippedOf(skipped));
    }
    if (records.length > 0 && next !== undefined) return { records, next };
    if (next !== undefined) place.position = next;
    return undefined;
  });
  return recordStream(pages, place, positionAfter(isBackward));
}

/** Backward, a position is exclusive: the record before it comes next. */
function positionAfter(isBackward: boolean): (record: { readonly offset: number }, epoch: number) => Position {
  return ({ offset }, epoch) => ({ epoch, offset: isBackward ? offset : offset + 1 });
}

function untilMessage(until: Until | undefined): ReadRequest_Until | undefined {
  if (until === undefined) return undefined;
  if ("offset" in until) return { at: { $case: "offset", value: wholeNumber(until.offset, "until.offset") } };
  return { at: { $case: "time", value: exactTime(until.time) } };
}
