import type { Direction, Position, WhenTrimmed } from "../core/index.js";
import {
  ReadRequest_Direction,
  type ReadRequest_Until,
  ReadResponse,
  RecordServiceService,
} from "../gen/millrace/v1/record_service.js";
import { filterMap } from "../streams/index.js";
import { decodeRecordsMessage, type RecordsMessage } from "../wire/index.js";
import type { Connection } from "./connection.js";
import { trimmedPolicies } from "./follower.js";
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
  /** Forward: before this place. Backward: after it. Default: the end as it stood when reading began. */
  readonly until?: Until | undefined;
  /** Stop after so many records. Default: no limit. */
  readonly limit?: number | undefined;
  /** What to do when the next record is no longer kept. Default fail: an OutOfRangeError. */
  readonly whenTrimmed?: WhenTrimmed | undefined;
  /** Only records for which this CEL expression is true; `limit` counts those. Default: all. */
  readonly filter?: string | undefined;
  /** Told what happens besides records. What it throws ends the stream. */
  readonly onEvent?: ((event: ReadEvent) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A read that gets nowhere for so long fails. */
const giveUpAfterMs = 60_000;

const readShape = { ...RecordServiceService.read, responseDeserialize: decodeRecordsMessage };

/**
 * Reads what a topic holds, and ends. A read that breaks off resumes from the last position that a message gave. The
 * server fixes the end when a call starts, and tells it in the first message; it is the `until` of the calls after that,
 * so a resumed read ends where it would have ended. A call that broke off before its first message delivered nothing: the
 * next call then fixes the end.
 */
export function readTopic(connection: Connection, topic: string, options: ReadOptions): RecordStream {
  const place: Place = { position: undefined };
  const isBackward = options.direction === "backward";
  const limit = wholeNumber(options.limit ?? 0, "limit");
  let start: Start = options.start ?? (isBackward ? "latest" : "earliest");
  let until: ReadRequest_Until | undefined = untilMessage(options.until);
  let delivered = 0;

  const open = async () => {
    // A call that broke off after its last record must not be opened again without a limit.
    if (limit !== 0 && delivered >= limit) return undefined;
    return connection.serverStream(readShape, {
      topic,
      start: startMessage(start),
      direction: isBackward ? ReadRequest_Direction.BACKWARD : ReadRequest_Direction.FORWARD,
      until,
      limit: limit === 0 ? 0 : limit - delivered,
      whenTrimmed: trimmedPolicies[options.whenTrimmed ?? "fail"],
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
