/**
 * Reading what is there: pages by key from the database, forward or backward, to an end that is fixed at the start. The
 * generator is resumed when the last page was delivered, so nothing is read for a client that does not read; only a
 * stream that earned large pages has the next one fetched ahead.
 *
 * A filter leaves records out, as does the end of their lifetimes, and moves the position all the same: a page of which nothing is left is a message without
 * records. What it needs of the bytes of a frame is searched for by the page query itself.
 */

import {
  MillraceError,
  offsetOutOfRange,
  type OffsetRange,
  type Page,
  type Position,
  topicDeleted,
  type Until,
} from "../../core/index.js";
import type { Head } from "../../store/index.js";
import type { LiveStream } from "../../telemetry/index.js";
import { encodePageMessage, type KeepFrame, pageAsMessage, readStamp, thinPage } from "../../wire/index.js";
import { overError } from "../appender.js";
import type { DatabaseLanes } from "../database-lanes.js";
import type { PageMessage, ReadCommand, ReadMessage } from "../engine.js";
import type { PageAllowance, PageBudget, PageGrant } from "./page-allowance.js";
import { chooseFrames } from "./frame-choice.js";
import { type FrameSearch, offsetsOf, searchFor, searchRecordsMax } from "./frame-search.js";
import type { PageCursor, PageOutcome, PageReader, SearchOutcome } from "./page-reader.js";
import type { StampClock } from "../stamp-clock.js";
import { offsetAtTime, resolveStart } from "./start-offset.js";
import type { Topic } from "../topic.js";
import type { TopicCache } from "../topic-cache.js";

export interface ReadParts {
  readonly cache: TopicCache;
  readonly lanes: DatabaseLanes;
  readonly pages: PageReader;
  readonly pageBudget: PageBudget;
  readonly stampClock: StampClock;
}

export async function* readTopic(
  parts: ReadParts,
  command: ReadCommand,
  stream: LiveStream,
  signal: AbortSignal,
): AsyncGenerator<ReadMessage, void, undefined> {
  stream.waitFor("database");
  const { lease, stored } = await parts.cache.acquireFresh(command.topic, signal);
  let reader: Reader | undefined;
  try {
    const bounds = await resolveBounds(parts, command, lease.topic, stored.head, signal);
    reader = new Reader(parts, command, lease.topic, bounds, stream, signal);
    if (reader.isDone) yield emptyPage(lease.topic, bounds.from);
    while (!reader.isDone) {
      // In one expression, and not through `yield*`: a message held by a suspended generator would cost every stalled
      // reader its size once more (invariant 4).
      yield await reader.takeMessage();
      reader.delivered();
    }
  } finally {
    reader?.leave();
    lease.release();
  }
}

/** From where to where a read goes: the start is inclusive forward and exclusive backward, the end the reverse. */
interface ReadBounds {
  readonly from: number;
  readonly until: number;
  /** Where the position ends: behind `until` there may be more that no filter needs to see. */
  readonly end: number;
  readonly records: number;
}

async function resolveBounds(
  { lanes }: ReadParts,
  command: ReadCommand,
  topic: Topic,
  head: Head,
  signal: AbortSignal,
): Promise<ReadBounds> {
  const isForward = command.direction === "forward";
  const start = command.start ?? { at: isForward ? "earliest" : "latest" };
  const limit = command.limit === 0 ? Number.POSITIVE_INFINITY : command.limit;
  const until = await endOf(command.until, isForward, topic, head, lanes, signal);
  const bounds: ReadBounds =
    !isForward && start.at === "last"
      ? newestBackward(start.count, until, limit, command, head)
      : { from: await resolveStart(start, topic, head, lanes, signal), until, end: until, records: limit };
  if (command.filter === undefined) return bounds;
  return narrow(bounds, isForward, head, await offsetsOf(command.filter, topic, head, lanes, signal));
}

/** The newest N, backward, begin at the end: how many is then a limit; with a filter, which counts others, it is a place. */
function newestBackward(count: number, until: number, limit: number, command: ReadCommand, head: Head): ReadBounds {
  const from = head.nextOffset;
  if (command.filter === undefined) return { from, until, end: until, records: Math.min(limit, count) };
  const end = Math.min(from, Math.max(until, from - count));
  return { from, until: end, end, records: limit };
}

/** Leaves out the offsets where nothing can match; never those that are no longer kept, of which a reader is told. */
function narrow(bounds: ReadBounds, isForward: boolean, head: Head, possible: OffsetRange): ReadBounds {
  const { from, until } = bounds;
  if (!isForward) {
    const start = Math.max(until, Math.min(from, possible.nextOffset));
    return { ...bounds, from: start, until: Math.max(until, possible.firstOffset) };
  }
  if (from < head.earliestOffset) return bounds;
  const start = Math.min(until, Math.max(from, possible.firstOffset));
  return { ...bounds, from: start, until: Math.min(until, possible.nextOffset) };
}

/** A page under way, with the room that it will take. */
interface Fetch {
  readonly grant: PageGrant;
  readonly outcome: Promise<PageOutcome | SearchOutcome>;
}

/** One read's cursor, and the one page that is read ahead of it. */
class Reader {
  isDone: boolean;
  readonly #parts: ReadParts;
  readonly #command: ReadCommand;
  readonly #topic: Topic;
  readonly #until: number;
  readonly #end: number;
  readonly #search: FrameSearch | undefined;
  readonly #stream: LiveStream;
  readonly #signal: AbortSignal;
  readonly #allowance: PageAllowance;
  #cursor: PageCursor;
  #remaining: number;
  #meanFrameBytes: number | undefined;
  /** It reads from the earliest record, and has read nothing yet. */
  #isAtEarliest: boolean;
  #ahead: Fetch | undefined;
  /** The room and the size of the page that is being delivered. */
  #grant: PageGrant | undefined;
  #messageBytes = 0;

  constructor(
    parts: ReadParts,
    command: ReadCommand,
    topic: Topic,
    bounds: ReadBounds,
    stream: LiveStream,
    signal: AbortSignal,
  ) {
    this.#parts = parts;
    this.#command = command;
    this.#topic = topic;
    this.#until = bounds.until;
    this.#end = bounds.end;
    this.#search = searchFor(command.filter, topic, parts.lanes);
    this.#remaining = bounds.records;
    this.#isAtEarliest = command.direction === "forward" && (command.start ?? { at: "earliest" }).at === "earliest";
    this.#stream = stream;
    stream.measureLag(() => Math.abs(bounds.end - stream.nextOffset));
    this.#signal = signal;
    this.#allowance = parts.pageBudget.forStream();
    this.#cursor = { direction: command.direction, offset: bounds.from, bytes: undefined };
    this.isDone = this.#isAtEnd();
    this.#report();
  }

  async takeMessage(): Promise<ReadMessage> {
    if (this.#isThrough()) {
      // Nothing that is left can match.
      this.#moveTo(this.#end, undefined);
      return emptyPage(this.#topic, this.#end);
    }
    this.#stream.waitFor("database");
    const { grant, outcome: reading } = this.#ahead ?? this.#fetch();
    this.#ahead = undefined;
    this.#grant = grant;
    const outcome = await reading;
    this.#stream.waitFor("nothing");
    switch (outcome.kind) {
      case "page":
        return this.#deliver(outcome.page);
      case "found":
        this.#search?.reach.adapt(outcome);
        this.#isAtEarliest = false;
        return this.#thin(outcome.frames, this.#choose(), outcome.reached);
      case "end":
        // The end lay above what is there: nothing more comes.
        this.isDone = true;
        return emptyPage(this.#topic, this.#cursor.offset);
      case "gone":
      case "beyond":
      case "missing":
      case "trimmed": {
        if (outcome.kind === "trimmed" && this.#isAtEarliest) {
          // It asked for what is kept, which begins further on by now: nothing that it was told of is passed over.
          this.#moveTo(outcome.head.earliestOffset, undefined);
          this.delivered();
          return this.isDone ? emptyPage(this.#topic, this.#cursor.offset) : this.takeMessage();
        }
        const from = this.#cursor.offset;
        const to = resumeAfter(outcome, this.#command, this.#topic, from);
        this.#moveTo(to, undefined);
        const next = { epoch: this.#topic.epoch, offset: to };
        return { kind: "skipped", reason: "trimmed", firstOffset: from, nextOffset: to, next };
      }
      default:
        return outcome satisfies never;
    }
  }

  /** The last message was delivered. */
  delivered(): void {
    this.#allowance.delivered(this.#messageBytes);
    this.#messageBytes = 0;
    this.#grant?.release();
    this.#grant = undefined;
    this.#report();
  }

  /** Gives back the room for its pages. */
  leave(): void {
    this.#grant?.release();
    this.#ahead?.grant.release();
  }

  #deliver(page: Page): PageMessage {
    const isForward = this.#command.direction === "forward";
    const reached = isForward ? page.next : page.first;
    this.#isAtEarliest = false;
    this.#meanFrameBytes = page.frames.length / (page.next - page.first);
    const keep = this.#choose();
    if (keep !== undefined) return this.#thin(page.frames, keep, reached, isForward ? page.endBytes : undefined);
    this.#remaining -= page.next - page.first;
    this.#moveTo(reached, isForward ? page.endBytes : undefined);
    this.#fetchAhead();
    this.#messageBytes = page.frames.length;
    return pageMessage(page, { epoch: this.#topic.epoch, offset: this.#cursor.offset });
  }

  /** Anew for each page: lifetimes end meanwhile. */
  #choose(): KeepFrame | undefined {
    return chooseFrames(this.#command.filter, this.#topic, this.#parts.stampClock);
  }

  /** What is left of frames after which the read stands at `reached`. */
  #thin(frames: Uint8Array, keep: KeepFrame | undefined, reached: number, bytes?: number): PageMessage {
    const { direction } = this.#command;
    const kept = thinPage(frames, keep ?? (() => true), this.#remaining);
    this.#remaining -= kept.records;
    if (this.#remaining > 0) this.#moveTo(reached, bytes);
    else {
      // The last one that was wanted is where the read stops.
      const { offset } = readStamp(frames, kept.lookedTo);
      this.#moveTo(direction === "forward" ? offset + 1 : offset, undefined);
    }
    this.#fetchAhead();
    // Pages are earned by what was looked at: little of it may be left.
    this.#messageBytes = frames.length;
    const next = { epoch: this.#topic.epoch, offset: this.#cursor.offset };
    return { kind: "page", encoded: encodePageMessage(kept.runs, next), records: kept.records, next };
  }

  #fetchAhead(): void {
    if (this.#allowance.isEarned && !this.isDone && !this.#isThrough()) this.#ahead = this.#fetch();
  }

  #fetch(): Fetch {
    const grant = this.#allowance.take();
    const outcome = this.#search === undefined ? this.#readPage(grant.bytes) : this.#searchPage(grant.bytes);
    // Awaited later, or never when the reader leaves.
    outcome.catch(() => undefined);
    return { grant, outcome };
  }

  #readPage(bytes: number): Promise<PageOutcome> {
    return this.#parts.pages.readHistory(
      {
        topic: this.#topic,
        cursor: this.#cursor,
        bytes,
        until: this.#until,
        // What is let through counts, and only then is it known how many that are.
        recordsMax: this.#choose() === undefined ? this.#remaining : Number.POSITIVE_INFINITY,
        meanFrameBytes: this.#meanFrameBytes,
      },
      this.#signal,
    );
  }

  #searchPage(bytes: number): Promise<SearchOutcome> {
    const { reach, needles } = this.#search as FrameSearch;
    return this.#parts.pages.searchHistory(
      {
        topic: this.#topic,
        cursor: this.#cursor,
        rows: Math.min(reach.rows, Math.abs(this.#until - this.#cursor.offset)),
        walkBytes: reach.bytes,
        needles,
        skipsBlocks: reach.skipsBlocks,
        records: searchRecordsMax,
        bytes,
      },
      this.#signal,
    );
  }

  #moveTo(offset: number, bytes: number | undefined): void {
    this.#cursor = { direction: this.#command.direction, offset, bytes };
    this.isDone = this.#isAtEnd();
  }

  #isAtEnd(): boolean {
    return this.#remaining <= 0 || this.#isPast(this.#end);
  }

  /** Whether all was looked at where something can match. */
  #isThrough(): boolean {
    return this.#isPast(this.#until);
  }

  #isPast(limit: number): boolean {
    const { direction, offset } = this.#cursor;
    return direction === "forward" ? offset >= limit : offset <= limit;
  }

  #report(): void {
    this.#stream.nextOffset = this.#cursor.offset;
  }
}

/** A read that finds nothing still tells where to resume. */
function emptyPage(topic: Topic, offset: number): ReadMessage {
  const next = { epoch: topic.epoch, offset };
  return { kind: "page", encoded: encodePageMessage([], next), records: 0, next };
}

/** The end of a read: exclusive forward, inclusive backward. */
async function endOf(
  until: Until,
  isForward: boolean,
  topic: Topic,
  head: Head,
  lanes: DatabaseLanes,
  signal: AbortSignal,
): Promise<number> {
  const end = isForward ? head.nextOffset : 0;
  switch (until.at) {
    case "end":
      return end;
    case "offset":
      return isForward ? Math.min(end, until.offset) : until.offset;
    case "time":
      return offsetAtTime(until.timeMicros, topic, head, lanes, signal);
    default:
      return until satisfies never;
  }
}

/** Where a reader goes on whose next offset is not there. Throws unless it asked to skip. */
export function resumeAfter(
  outcome: Exclude<PageOutcome, { kind: "page" | "end" }>,
  command: { readonly whenTrimmed: "fail" | "skip" },
  topic: Topic,
  offset: number,
): number {
  switch (outcome.kind) {
    case "gone":
      throw topicDeleted(topic.name, { epoch: topic.epoch, offset });
    case "beyond":
      if (topic.isOver) throw overError(topic);
      throw offsetOutOfRange(topic.name, offset, outcome.head);
    case "missing":
      throw new MillraceError(
        "data-loss",
        `Topic "${topic.name}" has no record at offset ${offset}, which it should keep: its rows were deleted by other means`,
        { metadata: { topic: topic.name, epoch: String(topic.epoch), offset: String(offset) } },
      );
    case "trimmed":
      if (command.whenTrimmed === "skip") return outcome.head.earliestOffset;
      throw offsetOutOfRange(topic.name, offset, outcome.head);
    default:
      return outcome satisfies never;
  }
}

/** What a page of the database is to a reader, as a message. */
export function pageMessage(page: Page, next: Position): PageMessage {
  return { kind: "page", encoded: pageAsMessage(page, next), records: page.next - page.first, next };
}
