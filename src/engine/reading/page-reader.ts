/**
 * Reads pages from the database and judges them. A page counts only if it begins at the cursor and has no hole.
 * Otherwise the head from the same snapshot shows where the reader stands (invariant 5).
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
      /** In the order of reading. May be empty. */
      readonly frames: Uint8Array;
      /** Every record up to here was examined. */
      readonly reached: number;
      /** More was found than fits, so less was examined than was asked for. */
      readonly isCut: boolean;
      /** The share of the examined blocks that hold the bytes, from 0 to 1. */
      readonly density: number;
    }
  | Exclude<PageOutcome, { readonly kind: "page" }>;

/** A search of the store, by topic and cursor. */
export interface SearchQuery extends Omit<PageSearchRequest, "topicId" | "direction" | "from"> {
  readonly topic: Topic;
  readonly cursor: PageCursor;
}

/** Where a cursor stands. */
export interface PageCursor {
  readonly direction: Direction;
  /** Forward: the next offset that is wanted. Backward: the offset after it. */
  readonly offset: number;
  /** The topic's running total of frame bytes at the cursor; known after the first page. */
  readonly bytes: number | undefined;
}

export type PageOutcome =
  | { readonly kind: "page"; readonly page: Page; readonly head: Head }
  /** The cursor is at the end, in its direction. */
  | { readonly kind: "end"; readonly head: Head }
  /** The record at the cursor is no longer kept. */
  | { readonly kind: "trimmed"; readonly head: Head }
  /** The cursor is above the next offset. */
  | { readonly kind: "beyond"; readonly head: Head }
  /** The head says that the record is kept, but it is not there: its rows were deleted by somebody else. */
  | { readonly kind: "missing"; readonly head: Head }
  /** The topic's rows are deleted. */
  | { readonly kind: "gone" };

export interface PageQuery {
  readonly topic: Topic;
  readonly cursor: PageCursor;
  /** The most bytes, but at least one record. */
  readonly bytes: number;
  /** Where to stop, exclusive forward and inclusive backward. */
  readonly until?: number | undefined;
  /** The most records. */
  readonly recordsMax?: number | undefined;
  /** Mean frame size of the page before this one. */
  readonly meanFrameBytes?: number | undefined;
  /** The pool that the page's buffer comes from. The page's `lent` has to be given back to it. */
  readonly buffers?: BufferPool;
}

/**
 * The statement asks for this many times the records that fill a page by the mean size. The byte bound ends the page,
 * at the end of a block. The record bound only keeps the statement from examining every block, and must not cut a block
 * in two.
 */
const recordsMargin = 1.5;

export interface PageReader {
  /** One page of history, for one reader. */
  readHistory(query: PageQuery, signal: AbortSignal): Promise<PageOutcome>;
  /** Searches history for bytes, for one reader. */
  searchHistory(query: SearchQuery, signal: AbortSignal): Promise<SearchOutcome>;
  /** Reads the page at a live cursor that the tail does not hold: once for all followers that need it. */
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
        // No follower's signal: other followers may need the page.
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

/** Why a cursor finds no record. Without a head the topic is deleted. */
function nothingThere(
  head: Head | undefined,
  { direction, offset }: PageCursor,
): Exclude<PageOutcome, { readonly kind: "page" }> {
  if (head === undefined) return { kind: "gone" };
  const isForward = direction === "forward";
  if (offset > head.nextOffset) return { kind: "beyond", head };
  if (isForward && offset < head.earliestOffset) return { kind: "trimmed", head };
  // Backward, the earliest record is the end, for whatever reason it became the earliest.
  const isAtEnd = isForward ? offset === head.nextOffset : offset <= head.earliestOffset;
  return { kind: isAtEnd ? "end" : "missing", head };
}

/** Whether the page has no hole: then its last record has the offset that follows from its range. */
function isWhole({ frames, first, next }: Page, isForward: boolean): boolean {
  return readStamp(frames, frames.length).offset === (isForward ? next - 1 : first);
}
