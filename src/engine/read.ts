/**
 * Reading what is there: pages by key from the database, forward or backward, to an end that is fixed at the start. The
 * generator is resumed when the last page was delivered, so nothing is read for a client that does not read; only a
 * stream that earned large pages has the next one fetched ahead.
 */

import { MillraceError, offsetOutOfRange, type Page, type Position, topicDeleted, type Until } from "../core/index.js";
import type { Head } from "../store/index.js";
import type { LiveStream } from "../telemetry/index.js";
import { encodePageMessage, pageAsMessage } from "../wire/index.js";
import { overError } from "./appender.js";
import type { DatabaseLanes } from "./database-lanes.js";
import type { PageMessage, ReadCommand, ReadMessage } from "./engine.js";
import type { PageAllowance, PageBudget, PageGrant } from "./page-allowance.js";
import type { PageCursor, PageOutcome, PageReader } from "./page-reader.js";
import { offsetAtTime, resolveStart } from "./start-offset.js";
import type { Topic } from "./topic.js";
import type { TopicCache } from "./topic-cache.js";

export interface ReadParts {
  readonly cache: TopicCache;
  readonly lanes: DatabaseLanes;
  readonly pages: PageReader;
  readonly pageBudget: PageBudget;
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
  const start = command.from ?? { at: isForward ? "earliest" : "latest" };
  const limit = command.limit === 0 ? Number.POSITIVE_INFINITY : command.limit;
  const until = await endOf(command.until, isForward, topic, head, lanes, signal);
  if (!isForward && start.at === "last") {
    // The newest N, backward, begin at the end; how many is then a limit.
    return { from: head.nextOffset, until, records: Math.min(limit, start.count) };
  }
  return { from: await resolveStart(start, topic, head, lanes, signal), until, records: limit };
}

/** A page under way, with the room that it will take. */
interface Fetch {
  readonly grant: PageGrant;
  readonly outcome: Promise<PageOutcome>;
}

/** One read's cursor, and the one page that is read ahead of it. */
class Reader {
  isDone: boolean;
  readonly #parts: ReadParts;
  readonly #command: ReadCommand;
  readonly #topic: Topic;
  readonly #until: number;
  readonly #stream: LiveStream;
  readonly #signal: AbortSignal;
  readonly #allowance: PageAllowance;
  #cursor: PageCursor;
  #remaining: number;
  #meanFrameBytes: number | undefined;
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
    this.#remaining = bounds.records;
    this.#stream = stream;
    this.#signal = signal;
    this.#allowance = parts.pageBudget.forStream();
    this.#cursor = { direction: command.direction, offset: bounds.from, bytes: undefined };
    this.isDone = this.#isAtEnd();
    this.#report();
  }

  async takeMessage(): Promise<ReadMessage> {
    this.#stream.waitFor("database");
    const { grant, outcome: reading } = this.#ahead ?? this.#fetch();
    this.#ahead = undefined;
    this.#grant = grant;
    const outcome = await reading;
    this.#stream.waitFor("nothing");
    switch (outcome.kind) {
      case "page":
        return this.#deliver(outcome.page);
      case "end":
        // The end lay above what is there: nothing more comes.
        this.isDone = true;
        return emptyPage(this.#topic, this.#cursor.offset);
      case "gone":
      case "beyond":
      case "missing":
      case "trimmed": {
        const from = this.#cursor.offset;
        const to = resumeAfter(outcome, this.#command, this.#topic, from);
        this.#moveTo(to, undefined);
        const next = { epoch: this.#topic.epoch, offset: to };
        return { kind: "skipped", reason: "trimmed", fromOffset: from, toOffset: to, next };
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
    this.#remaining -= page.next - page.first;
    this.#meanFrameBytes = page.frames.length / (page.next - page.first);
    this.#moveTo(isForward ? page.next : page.first, isForward ? page.endBytes : undefined);
    if (this.#allowance.isEarned && !this.isDone) this.#ahead = this.#fetch();
    this.#messageBytes = page.frames.length;
    return pageMessage(page, { epoch: this.#topic.epoch, offset: this.#cursor.offset });
  }

  #fetch(): Fetch {
    const grant = this.#allowance.take();
    const outcome = this.#parts.pages.readHistory(
      {
        topic: this.#topic,
        cursor: this.#cursor,
        bytes: grant.bytes,
        until: this.#until,
        recordsMax: this.#remaining,
        meanFrameBytes: this.#meanFrameBytes,
      },
      this.#signal,
    );
    // Awaited later, or never when the reader leaves.
    outcome.catch(() => undefined);
    return { grant, outcome };
  }

  #moveTo(offset: number, bytes: number | undefined): void {
    this.#cursor = { direction: this.#command.direction, offset, bytes };
    this.isDone = this.#isAtEnd();
  }

  #isAtEnd(): boolean {
    const { direction, offset } = this.#cursor;
    return this.#remaining <= 0 || (direction === "forward" ? offset >= this.#until : offset <= this.#until);
  }

  #report(): void {
    this.#stream.nextOffset = this.#cursor.offset;
    this.#stream.lag = Math.abs(this.#until - this.#cursor.offset);
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
