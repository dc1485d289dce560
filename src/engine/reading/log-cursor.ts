/**
 * A reader's place in a topic's log. It reads pages from there on and moves behind them. It also moves over records
 * that the filter leaves out or whose lifetime is over: a page with no record left becomes a message without records.
 * When a filter needs certain bytes in a frame, the page query searches for them.
 */

import {
  type Direction,
  MillraceError,
  offsetOutOfRange,
  type Position,
  type SkippedReason,
  topicDeleted,
} from "../../core/index.js";
import type { Filter } from "../../filter/index.js";
import { type KeepFrame, readStamp, thinPage } from "../../wire/index.js";
import type { PageMessage } from "../topics/page-message.js";
import { overError, type Topic } from "../topics/topic.js";
import { chooseFrames } from "./frame-choice.js";
import { type FrameSearch, searchFor, searchRecordsMax } from "./frame-search.js";
import type { PageOutcome, SearchOutcome } from "./page-reader.js";
import type { ReadingParts, Taken } from "./page-stream.js";

/** A run of offsets that the reader does not get. */
export interface SkippedMessage {
  readonly kind: "skipped";
  readonly reason: SkippedReason;
  readonly firstOffset: number;
  readonly nextOffset: number;
  readonly next: Position;
}

export interface LogCursorStart {
  readonly topic: Topic;
  readonly direction: Direction;
  /** Forward: the next offset that is wanted. Backward: the offset after it. */
  readonly offset: number;
  readonly filter: Filter | undefined;
}

/** What a read at a cursor gave, or why it gave nothing. */
export type LogOutcome = PageOutcome | SearchOutcome;
type Found = Extract<LogOutcome, { readonly kind: "page" | "found" }>;

/** Every page gives a message, if only an empty one. */
export interface TakenPage extends Taken<PageMessage> {
  readonly message: PageMessage;
}

export class LogCursor {
  readonly direction: Direction;
  readonly #parts: ReadingParts;
  readonly #topic: Topic;
  readonly #filter: Filter | undefined;
  readonly #search: FrameSearch | undefined;
  #offset: number;
  /**
   * The topic's running total of frame bytes at the cursor, and the mean frame size of the last page; known after the
   * first page.
   */
  #bytes: number | undefined;
  #meanFrameBytes: number | undefined;

  constructor(parts: ReadingParts, { topic, direction, offset, filter }: LogCursorStart) {
    this.direction = direction;
    this.#parts = parts;
    this.#topic = topic;
    this.#filter = filter;
    this.#search = searchFor(filter, topic, parts.lanes);
    this.#offset = offset;
  }

  get offset(): number {
    return this.#offset;
  }

  get position(): Position {
    return this.#positionAt(this.#offset);
  }

  /** Whether the cursor has reached an offset, in its direction. */
  isAt(offset: number): boolean {
    return this.direction === "forward" ? this.#offset >= offset : this.#offset <= offset;
  }

  moveTo(offset: number, bytes?: number): void {
    this.#offset = offset;
    this.#bytes = bytes;
  }

  /** Reads the next page of history, up to `until`: exclusive forward, inclusive backward. Does not move the cursor. */
  read(
    bytes: number,
    { until, recordsMax }: { readonly until?: number; readonly recordsMax?: number },
    signal: AbortSignal,
  ): Promise<LogOutcome> {
    const topic = this.#topic;
    const { pages, buffers } = this.#parts;
    const cursor = { direction: this.direction, offset: this.#offset, bytes: this.#bytes };
    if (this.#search === undefined) {
      // A limit counts the records that the filter lets through, and how many these are is known only after the read.
      const most = this.#choose() === undefined ? recordsMax : undefined;
      const meanFrameBytes = this.#meanFrameBytes;
      return pages.readHistory({ topic, cursor, bytes, until, recordsMax: most, meanFrameBytes, buffers }, signal);
    }
    const { reach, needles } = this.#search;
    const { bytes: walkBytes, density } = reach;
    const rows = Math.min(reach.rows, Math.abs((until ?? Infinity) - this.#offset));
    const records = searchRecordsMax;
    return pages.searchHistory({ topic, cursor, rows, walkBytes, needles, density, records, bytes }, signal);
  }

  /** Takes the records of a read that are for the reader, up to `recordsMax`, and moves the cursor behind them. */
  take(outcome: Found, recordsMax = Infinity): TakenPage {
    if (outcome.kind === "found") {
      this.#search?.reach.adapt(outcome);
      this.moveTo(outcome.reached);
      return this.#thin([outcome.frames], this.#choose() ?? (() => true), recordsMax);
    }
    const { first, next, frames, hasRoom, lent, endBytes } = outcome.page;
    this.#meanFrameBytes = frames.length / (next - first);
    const isForward = this.direction === "forward";
    const position = this.#positionAt(isForward ? next : first);
    const message = { kind: "page", runs: [frames], hasRoom, lent, records: next - first, next: position } as const;
    return this.takeWhole(message, isForward ? endBytes : undefined, recordsMax);
  }

  /** The same for a page that has every record from the cursor to the page's position. */
  takeWhole(page: PageMessage, endBytes?: number, recordsMax = Infinity): TakenPage {
    this.moveTo(page.next.offset, endBytes);
    const keep = this.#choose();
    if (keep !== undefined) return this.#thin(page.runs, keep, recordsMax);
    return { message: page, bytes: page.runs.reduce((bytes, run) => bytes + run.length, 0) };
  }

  /**
   * Moves over records that are no longer kept, and reports them. Throws if the reader did not ask for that, and for
   * every other outcome.
   */
  skip(outcome: Exclude<LogOutcome, Found | { readonly kind: "end" }>, whenTrimmed: "fail" | "skip"): SkippedMessage {
    const topic = this.#topic;
    const offset = this.#offset;
    switch (outcome.kind) {
      case "gone":
        throw topicDeleted(topic.name, this.position);
      case "beyond":
        if (topic.isOver) throw overError(topic);
        throw offsetOutOfRange(topic.name, offset, outcome.head);
      case "missing":
        throw new MillraceError(
          "data-loss",
          `Topic "${topic.name}" has no record at offset ${offset}, which it should keep: its rows were deleted by other means`,
          { metadata: { topic: topic.name, epoch: String(topic.epoch), offset: String(offset) } },
        );
      case "trimmed": {
        if (whenTrimmed === "fail") throw offsetOutOfRange(topic.name, offset, outcome.head);
        const { earliestOffset: nextOffset } = outcome.head;
        this.moveTo(nextOffset);
        return { kind: "skipped", reason: "trimmed", firstOffset: offset, nextOffset, next: this.position };
      }
      default:
        return outcome satisfies never;
    }
  }

  #thin(runs: readonly Uint8Array[], keep: KeepFrame, recordsMax: number): TakenPage {
    const kept: Uint8Array[] = [];
    let records = 0;
    let bytes = 0;
    for (const run of runs) {
      const thinned = thinPage(run, keep, recordsMax - records);
      kept.push(...thinned.runs);
      records += thinned.records;
      bytes += run.length;
      if (records < recordsMax) continue;
      // The reader stops at the last record that it wanted.
      const { offset } = readStamp(run, thinned.lookedTo);
      this.moveTo(this.direction === "forward" ? offset + 1 : offset);
      break;
    }
    return { message: { kind: "page", runs: kept, records, next: this.position }, bytes };
  }

  /** Decides which records are sent. Anew for each page, since lifetimes end meanwhile. */
  #choose(): KeepFrame | undefined {
    return chooseFrames(this.#filter, this.#topic, this.#parts.stampClock);
  }

  #positionAt(offset: number): Position {
    return { epoch: this.#topic.epoch, offset };
  }
}
