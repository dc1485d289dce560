/** Reads pages from the database, forward or backward, up to an end that is fixed when it begins. */

import type { OffsetRange, Until, Direction, Start, WhenTrimmed } from "../../core/index.js";
import type { Head } from "../../store/index.js";
import type { LiveStream } from "../../telemetry/index.js";
import type { Topic } from "../topics/topic.js";
import { offsetsOf } from "./frame-search.js";
import { LogCursor, type LogOutcome, type SkippedMessage } from "./log-cursor.js";
import type { PageOutcome } from "./page-reader.js";
import { type PageSource, type ReadingParts, type ReaderStep, streamPages, type Taken } from "./page-stream.js";
import { offsetAtTime, resolveStart, type TopicAt } from "./start-offset.js";
import type { Filter } from "../../filter/index.js";
import type { PageMessage } from "../topics/page-message.js";

export interface ReadCommand {
  readonly topic: string;
  /** Undefined: `earliest` forward, `latest` backward. */
  readonly start: Start | undefined;
  readonly direction: Direction;
  readonly until: Until;
  /** 0: no limit. With a filter, the limit counts matching records. */
  readonly limit: number;
  readonly whenTrimmed: WhenTrimmed;
  /** Only records that match. */
  readonly filter: Filter | undefined;
}

export type ReadMessage = (PageMessage | SkippedMessage) & {
  /** Set in the first message alone: where the read ends, exclusive forward, inclusive backward. */
  readonly endOffset?: number;
};

export function readTopic(
  parts: ReadingParts,
  command: ReadCommand,
  stream: LiveStream,
  signal: AbortSignal,
): AsyncGenerator<ReadMessage, void, undefined> {
  const { lanes } = parts;
  const openAt = async (topic: Topic, head: Head, first?: LogOutcome): Promise<ReadSource> =>
    new ReadSource(parts, command, {
      topic,
      bounds: await resolveBounds(command, { topic, head, lanes }, signal),
      first,
    });
  return streamPages<ReadMessage, LogOutcome>(
    parts,
    { topic: command.topic, stream, signal },
    {
      async known(topic) {
        const first = await readAtKnown(parts, command, topic, signal);
        return first === undefined || first.kind === "gone" || topic.isOver
          ? undefined
          : openAt(topic, first.head, first);
      },
      fresh: (topic, { head }) => openAt(topic, head),
    },
  );
}

/**
 * The first page of a read that begins at an offset, on a topic that this node knows. The page comes with the head, from
 * which the end follows: so a record is found by its offset with one statement. Undefined: the start or the end has to be
 * looked up first.
 */
async function readAtKnown(
  { pages, buffers, limits }: ReadingParts,
  { start, until, direction, limit, filter }: ReadCommand,
  topic: Topic,
  signal: AbortSignal,
): Promise<PageOutcome | undefined> {
  if (filter !== undefined || until.at === "time") return undefined;
  if (start?.at !== "offset" && start?.at !== "position") return undefined;
  const { offset } = start.at === "offset" ? start : start.position;
  const query = {
    topic,
    cursor: { direction, offset, bytes: undefined },
    bytes: limits.pageBytesMin,
    ...(until.at === "offset" && { until: until.offset }),
    ...(limit !== 0 && !topic.isExpiring && { recordsMax: limit }),
    buffers,
  };
  return pages.readHistory(query, signal);
}

/** The range of a read. Forward, the start is inclusive and the end exclusive; backward the reverse. */
interface ReadBounds {
  readonly from: number;
  readonly until: number;
  /**
   * The last position of the read, which the first message tells the reader. Between `until` and here no record can match the filter. A
   * read that resumes with this offset as its `until` ends here as well.
   */
  readonly end: number;
  readonly records: number;
}

async function resolveBounds(command: ReadCommand, at: TopicAt, signal: AbortSignal): Promise<ReadBounds> {
  const { head } = at;
  const isForward = command.direction === "forward";
  const start = command.start ?? { at: isForward ? "earliest" : "latest" };
  const limit = command.limit === 0 ? Number.POSITIVE_INFINITY : command.limit;
  const until = await endOf(command.until, isForward, at, signal);
  const bounds: ReadBounds =
    !isForward && start.at === "last"
      ? newestBackward(start.count, head, { until, limit })
      : { from: await resolveStart(start, at, signal), until, end: until, records: limit };
  if (command.filter === undefined) return bounds;
  const possible = await offsetsOf(command.filter, at, signal);
  return isForward ? narrowForward(bounds, head, possible) : narrowBackward(bounds, possible);
}

/**
 * "The newest N", backward, end N offsets before the end, where the same start would begin forward. If N counted records,
 * filters and lifetimes would change the set, and no `until` could tell a resumed read where to end.
 */
function newestBackward(
  count: number,
  { nextOffset: from }: Head,
  { until, limit }: { readonly until: number; readonly limit: number },
): ReadBounds {
  const end = Math.min(from, Math.max(until, from - count));
  return { from, until: end, end, records: limit };
}

/** Leaves out offsets where nothing can match, but never trimmed ones: the reader gets `skipped` for these. */
function narrowForward(bounds: ReadBounds, head: Head, possible: OffsetRange): ReadBounds {
  const { from, until } = bounds;
  if (from < head.earliestOffset) return bounds;
  const start = Math.min(until, Math.max(from, possible.firstOffset));
  return { ...bounds, from: start, until: Math.min(until, possible.nextOffset) };
}

function narrowBackward(bounds: ReadBounds, possible: OffsetRange): ReadBounds {
  const { from, until } = bounds;
  const start = Math.max(until, Math.min(from, possible.nextOffset));
  return { ...bounds, from: start, until: Math.max(until, possible.firstOffset) };
}

/** The end of a read: exclusive forward, inclusive backward. */
async function endOf(until: Until, isForward: boolean, at: TopicAt, signal: AbortSignal): Promise<number> {
  const end = isForward ? at.head.nextOffset : 0;
  switch (until.at) {
    case "end":
      return end;
    case "offset":
      return isForward ? Math.min(end, until.offset) : until.offset;
    case "time":
      return offsetAtTime(until.timeMicros, at, signal);
    default:
      return until satisfies never;
  }
}

class ReadSource implements PageSource<ReadMessage, LogOutcome> {
  readonly end: number;
  readonly #command: ReadCommand;
  readonly #cursor: LogCursor;
  readonly #until: number;
  #remaining: number;
  /** The reader asked for everything from the earliest record on, and got no message yet. */
  #isAtEarliest: boolean;
  #hasTold = false;
  /** What was read before the bounds were known. */
  #first: LogOutcome | undefined;

  constructor(
    parts: ReadingParts,
    command: ReadCommand,
    {
      topic,
      bounds,
      first,
    }: {
      readonly topic: Topic;
      readonly bounds: ReadBounds;
      /** Read at the start of the bounds. */
      readonly first: LogOutcome | undefined;
    },
  ) {
    const { direction, filter } = command;
    this.end = bounds.end;
    this.#command = command;
    this.#cursor = new LogCursor(parts, { topic, direction, offset: bounds.from, filter });
    this.#until = bounds.until;
    this.#remaining = bounds.records;
    this.#first = first;
    this.#isAtEarliest = direction === "forward" && (command.start ?? { at: "earliest" }).at === "earliest";
  }

  get offset(): number {
    return this.#cursor.offset;
  }

  get readsOn(): boolean {
    return this.#remaining > 0 && !this.#cursor.isAt(this.#until) && !this.#cursor.isAt(this.end);
  }

  step(): ReaderStep<ReadMessage> {
    if (this.readsOn) return "read";
    const isDone = this.#remaining <= 0 || this.#cursor.isAt(this.end);
    if (isDone && this.#hasTold) return "end";
    // None of the remaining records can match.
    if (!isDone) this.#cursor.moveTo(this.end);
    return this.#whereToResume();
  }

  read(bytes: number, signal: AbortSignal): LogOutcome | Promise<LogOutcome> {
    const first = this.#first;
    this.#first = undefined;
    if (first !== undefined) return first;
    return this.#cursor.read(bytes, { until: this.#until, recordsMax: this.#remaining }, signal);
  }

  take(outcome: LogOutcome): Taken<ReadMessage> {
    switch (outcome.kind) {
      case "page":
      case "found": {
        const { message, bytes } = this.#cursor.take(outcome, this.#remaining);
        this.#remaining -= message.records;
        this.#isAtEarliest = false;
        return { message: this.#tell(message), bytes };
      }
      case "end":
        // The end was above the topic's end: no record follows.
        this.#remaining = 0;
        return { message: this.#whereToResume(), bytes: 0 };
      case "gone":
      case "beyond":
      case "missing":
      case "trimmed":
        if (outcome.kind === "trimmed" && this.#isAtEarliest) {
          // The topic was trimmed since. The reader has learned of none of the trimmed records yet.
          this.#cursor.moveTo(outcome.head.earliestOffset);
          return { message: undefined, bytes: 0 };
        }
        return { message: this.#tell(this.#cursor.skip(outcome, this.#command.whenTrimmed)), bytes: 0 };
      default:
        return outcome satisfies never;
    }
  }

  /** A read that finds nothing still says where to resume. */
  #whereToResume(): ReadMessage {
    return this.#tell({ kind: "page", runs: [], records: 0, next: this.#cursor.position });
  }

  /** The first message also tells where the read ends. */
  #tell(message: PageMessage | SkippedMessage): ReadMessage {
    if (this.#hasTold) return message;
    this.#hasTold = true;
    return { ...message, endOffset: this.end };
  }
}
