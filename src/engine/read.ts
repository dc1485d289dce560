/**
 * Reading what is there: pages by key from the database, forward or backward, to an end that is fixed at the start. The
 * generator is resumed when the last page was delivered, so nothing is read for a client that does not read; only a
 * stream that earned large pages has the next one fetched ahead.
 */

import { offsetOutOfRange, type Page, type Position, topicDeleted, type Until } from "../core/index.js";
import type { Head } from "../store/index.js";
import type { LiveStream } from "../telemetry/index.js";
import { encodePageMessage } from "../wire/index.js";
import { overError } from "./appender.js";
import type { DatabaseLanes } from "./database-lanes.js";
import type { PageMessage, ReadCommand, ReadMessage } from "./engine.js";
import type { PageBudget, PageGrant } from "./page-allowance.js";
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

/** A page under way, with the room that it will take. */
interface Fetch {
  readonly grant: PageGrant;
  readonly outcome: Promise<PageOutcome>;
}

export async function* readTopic(
  parts: ReadParts,
  command: ReadCommand,
  stream: LiveStream,
  signal: AbortSignal,
): AsyncGenerator<ReadMessage, void, undefined> {
  stream.waitFor("database");
  const { lease, stored } = await parts.cache.acquireFresh(command.topic, signal);
  try {
    yield* readOpened(parts, command, lease.topic, stored.head, stream, signal);
  } finally {
    lease.release();
  }
}

async function* readOpened(
  parts: ReadParts,
  command: ReadCommand,
  topic: Topic,
  head: Head,
  stream: LiveStream,
  signal: AbortSignal,
): AsyncGenerator<ReadMessage, void, undefined> {
  const { direction } = command;
  const isForward = direction === "forward";
  const start = command.from ?? { at: isForward ? "earliest" : "latest" };
  // The newest N, backward, begin at the end; how many is then a limit.
  const from = !isForward && start.at === "last" ? head.nextOffset : await resolveStart(start, topic, head, parts.lanes, signal);
  let remaining = command.limit === 0 ? Number.POSITIVE_INFINITY : command.limit;
  if (!isForward && start.at === "last") remaining = Math.min(remaining, start.count);
  const until = await endOf(command.until, isForward, topic, head, parts.lanes, signal);
  const allowance = parts.pageBudget.forStream();
  let cursor: PageCursor = { direction, offset: from, bytes: undefined };
  let ahead: Fetch | undefined;
  let hasSent = false;
  stream.nextOffset = from;

  try {
    while (remaining > 0 && (isForward ? cursor.offset < until : cursor.offset > until)) {
      stream.waitFor("database");
      const fetch: Fetch = ahead ?? fetchPage(cursor, remaining);
      ahead = undefined;
      const outcome = await settled(fetch);
      stream.waitFor("nothing");
      if (outcome.kind === "page") {
        const { page } = outcome;
        const offset = isForward ? page.next : page.first;
        remaining -= page.next - page.first;
        cursor = { direction, offset, bytes: isForward ? page.endBytes : undefined };
        if (allowance.isEarned && remaining > 0 && (isForward ? offset < until : offset > until)) {
          ahead = fetchPage(cursor, remaining);
        }
        hasSent = true;
        yield pageMessage(page, { epoch: topic.epoch, offset });
        allowance.delivered(page.frames.length);
        fetch.grant.release();
        stream.nextOffset = offset;
        stream.lag = isForward ? Math.max(0, until - offset) : Math.max(0, offset - until);
        continue;
      }
      fetch.grant.release();
      if (outcome.kind === "end") break;
      const to = resumeAfter(outcome, command, topic, cursor);
      hasSent = true;
      yield {
        kind: "skipped",
        reason: "trimmed",
        fromOffset: cursor.offset,
        toOffset: to,
        next: { epoch: topic.epoch, offset: to },
      };
      cursor = { direction, offset: to, bytes: undefined };
    }
    if (!hasSent) yield emptyPage(topic, cursor.offset);
  } finally {
    ahead?.grant.release();
  }

  function fetchPage(at: PageCursor, recordsMax: number): Fetch {
    const grant = allowance.take();
    const outcome = parts.pages.readHistory({ topic, cursor: at, bytes: grant.bytes, until, recordsMax }, signal);
    // Awaited later, or never when the reader leaves.
    outcome.catch(() => undefined);
    return { grant, outcome };
  }

  async function settled(fetch: Fetch): Promise<PageOutcome> {
    try {
      return await fetch.outcome;
    } catch (error) {
      fetch.grant.release();
      throw error;
    }
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
  cursor: { readonly offset: number },
): number {
  switch (outcome.kind) {
    case "gone":
      throw topicDeleted(topic.name, { epoch: topic.epoch, offset: cursor.offset });
    case "beyond":
      if (topic.isOver) throw overError(topic);
      throw offsetOutOfRange(topic.name, cursor.offset, outcome.head);
    case "trimmed":
      if (command.whenTrimmed === "skip") return outcome.head.earliestOffset;
      throw offsetOutOfRange(topic.name, cursor.offset, outcome.head);
    default:
      return outcome satisfies never;
  }
}

/** What a page of the database is to a reader, as a message. */
export function pageMessage(page: Page, next: Position): PageMessage {
  return { kind: "page", encoded: encodePageMessage([page.frames], next), records: page.next - page.first, next };
}
