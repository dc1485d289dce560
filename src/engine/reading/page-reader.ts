/**
 * Pages from the database, judged: a page is given only if it begins at the cursor and has no hole; otherwise the head
 * from the same snapshot says where the reader stands (invariant 5).
 */

import { type BufferPool, type Direction, type Limits, type Page } from "../../core/index.js";
import type { Head, PageRead, PageSearchRequest } from "../../store/index.js";
import { abortable } from "../../streams/index.js";
import type { Metrics } from "../../telemetry/index.js";
import { readStamp } from "../../wire/index.js";
import type { DatabaseLanes } from "../database-lanes.js";
import type { Topic } from "../topics/topic.js";

/** What a search found from a cursor on. */
export type SearchOutcome =
  | {
      readonly kind: "found";
      readonly head: Head;
      /** In the order of reading; none at all is allowed. */
      readonly frames: Uint8Array;
      /** Everything up to here was looked at. */
      readonly reached: number;
      /** More was found than fits: less than what was asked for was looked at. */
      readonly isCut: boolean;
      /** How much of it stands in blocks that hold the bytes: from 0 to 1. */
      readonly density: number;
    }
  | Exclude<PageOutcome, { readonly kind: "page" }>;

/** A search of the store's, by topic and cursor. */
export interface SearchQuery extends Omit<PageSearchRequest, "topicId" | "direction" | "from"> {
  readonly topic: Topic;
  readonly cursor: PageCursor;
}

/** Where a cursor stands. */
export interface PageCursor {
  readonly direction: Direction;
  /** Forward: the offset that is wanted next. Backward: the one after it. */
  readonly offset: number;
  /** The topic's running total of frame bytes there, once a page before it was read. */
  readonly bytes: number | undefined;
}

export type PageOutcome =
  | { readonly kind: "page"; readonly page: Page; readonly head: Head }
  /** Nothing is there: the cursor is at the end, in its direction. */
  | { readonly kind: "end"; readonly head: Head }
  /** What the cursor wants is no longer kept. */
  | { readonly kind: "trimmed"; readonly head: Head }
  /** The cursor is above the next offset. */
  | { readonly kind: "beyond"; readonly head: Head }
  /** A record that is kept, by its head, is not there: somebody else deleted rows. */
  | { readonly kind: "missing"; readonly head: Head }
  /** The topic's rows are gone. */
  | { readonly kind: "gone" };

export interface PageQuery {
  readonly topic: Topic;
  readonly cursor: PageCursor;
  /** At most so many bytes, but at least one record. */
  readonly bytes: number;
  /** Where to stop, exclusive forward and inclusive backward. */
  readonly until?: number | undefined;
  /** At most so many records. */
  readonly recordsMax?: number | undefined;
  /** Mean size of the page before this one, where there was one. */
  readonly meanFrameBytes?: number | undefined;
  /** The pool that the page's buffer comes from; the page's `lent` is then to be given back. */
  readonly buffers?: BufferPool;
}

/**
 * How many more records are asked for than the mean size makes of a page. The byte bound ends the page, at the end of a
 * block; this one, which only keeps the statement from looking at all blocks that there are, would cut one in two.
 */
const recordsMargin = 1.5;

export interface PageReader {
  /** One page of history, for one reader. */
  readHistory(query: PageQuery, signal: AbortSignal): Promise<PageOutcome>;
  /** What a run of history holds of some bytes, for one reader. */
  searchHistory(query: SearchQuery, signal: AbortSignal): Promise<SearchOutcome>;
  /** The page at a live cursor that the tail does not have: read once for all followers that need it. */
  readLive(topic: Topic, offset: number, signal: AbortSignal): Promise<PageOutcome>;
}

export function createPageReader(lanes: DatabaseLanes, limits: Limits, metrics: Metrics): PageReader {
  const fromDatabase = metrics.pageReads.labels("database");
  const flights = new Map<string, Promise<PageOutcome>>();

  async function read(lane: "live" | "history", query: PageQuery, signal?: AbortSignal): Promise<PageOutcome> {
    const { topic, cursor } = query;
    const nextBefore = topic.tip.value.nextOffset;
    const meanFrameBytes = query.meanFrameBytes ?? topic.meanFrameBytes;
    const guess = Math.ceil((recordsMargin * query.bytes) / meanFrameBytes) + 1;
    const records = Math.min(guess, query.recordsMax ?? guess);
    const found = await lanes.run(
      lane,
      (store) =>
        store.readPage({
          topicId: topic.topicId,
          direction: cursor.direction,
          from: cursor.offset,
          records,
          bytes: query.bytes,
          ...(query.until === undefined ? {} : { until: query.until }),
          ...(cursor.bytes === undefined ? {} : { fromBytes: cursor.bytes }),
          ...(query.buffers === undefined ? {} : { buffers: query.buffers }),
        }),
      signal,
    );
    fromDatabase.inc();
    if (found === undefined) topic.markDeleted();
    else topic.observe(found.head, nextBefore);
    return judge(found, cursor);
  }

  return {
    readHistory: (query, signal) => read("history", query, signal),
    async searchHistory({ topic, cursor, ...query }, signal) {
      const nextBefore = topic.tip.value.nextOffset;
      const request = { topicId: topic.topicId, direction: cursor.direction, from: cursor.offset, ...query };
      const read = await lanes.run("history", (store) => store.searchPage(request), signal);
      fromDatabase.inc();
      if (read === undefined) topic.markDeleted();
      else topic.observe(read.head, nextBefore);
      if (read?.found === undefined) return nothingThere(read?.head, cursor);
      return { kind: "found", head: read.head, ...read.found };
    },
    readLive(topic, offset, signal) {
      const key = `${topic.topicId}:${topic.epoch}:${offset}`;
      let flight = flights.get(key);
      if (flight === undefined) {
        const cursor: PageCursor = { direction: "forward", offset, bytes: undefined };
        // No follower's signal: the others go on needing it.
        flight = read("live", { topic, cursor, bytes: limits.pageBytesMax })
          .then((outcome) => {
            if (outcome.kind === "page") topic.tail.offer(outcome.page);
            return outcome;
          })
          .finally(() => flights.delete(key));
        flights.set(key, flight);
      }
      return abortable(flight, signal);
    },
  };
}

function judge(found: PageRead | undefined, cursor: PageCursor): PageOutcome {
  if (found?.page === undefined) return nothingThere(found?.head, cursor);
  const { head, page } = found;
  const isForward = cursor.direction === "forward";
  if (cursor.offset > head.nextOffset || (isForward && cursor.offset < head.earliestOffset)) {
    return nothingThere(head, cursor);
  }
  return { kind: isWhole(page, isForward) ? "page" : "missing", page, head };
}

/** Why there is no record at a cursor; no head: the topic is gone. */
function nothingThere(
  head: Head | undefined,
  { direction, offset }: PageCursor,
): Exclude<PageOutcome, { readonly kind: "page" }> {
  if (head === undefined) return { kind: "gone" };
  const isForward = direction === "forward";
  if (offset > head.nextOffset) return { kind: "beyond", head };
  if (isForward && offset < head.earliestOffset) return { kind: "trimmed", head };
  // Backward, the earliest record is the end, however it became the earliest.
  const isAtEnd = isForward ? offset === head.nextOffset : offset <= head.earliestOffset;
  return { kind: isAtEnd ? "end" : "missing", head };
}

/** Whether the last record is the one that it must be if none before it is missing. */
function isWhole({ frames, first, next }: Page, isForward: boolean): boolean {
  return readStamp(frames, frames.length).offset === (isForward ? next - 1 : first);
}
