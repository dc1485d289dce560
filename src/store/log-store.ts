/** Logs: what is appended to them, and what is read of them. */

import type { BufferPool, Direction, Page, ProducerState } from "../core/index.js";
import type { Head } from "./topic-store.js";

/** One commit: stamped frames that follow each other, and what the topic is after them. */
export interface AppendWrite {
  readonly topicId: number;
  /** The view on which it was decided. */
  readonly expected: { readonly nextOffset: number; readonly version: number; readonly epoch: number };
  /** All frames, concatenated. */
  readonly frames: Uint8Array;
  /** Where each frame ends in `frames`, ascending; one entry a record. */
  readonly frameEnds: ArrayLike<number> & Iterable<number>;
  /** The topic's running total of frame bytes before these: the head's `nextBytes`. */
  readonly baseBytes: number;
  /** Stamped on every record. */
  readonly timeMicros: number;
  /** The producers whose sequences moved, as they are after this commit. */
  readonly producers: readonly ProducerState[];
  /** Of a keyed topic: what becomes the state. Each key once, with its last record of this commit. */
  readonly state: readonly StateChange[];
  /** These records have the topic's first lifetimes: its head must say so. */
  readonly expires: boolean;
}

/** A key, and which record of the commit, counted from 0, is its latest. */
export interface StateChange {
  readonly key: string;
  readonly index: number;
  /** The record has no body: the key is gone. */
  readonly isTombstone: boolean;
  /** Where it happened, in degrees. */
  readonly place: { readonly latitude: number; readonly longitude: number } | undefined;
  /** When it is no part of the state any more, microseconds since 1970. Absent: when another takes its place. */
  readonly expiryMicros?: number | undefined;
}

/** `moved`: the head was not as expected, and nothing was written. */
export type AppendOutcome = "appended" | "moved";

/** What an appender sees inside its transaction, the head's row locked. */
export interface LockedView {
  readonly head: Head;
  /** The known ones among the producers that were asked for. */
  readonly producers: readonly ProducerState[];
}

/** An append under the lock of a topic's head. */
export interface LockedAppend {
  readonly topicId: number;
  readonly producerIds: readonly string[];
  /** Chooses what is written, synchronously. Undefined: nothing. What it throws rolls everything back, and is thrown. */
  readonly decide: (view: LockedView) => AppendWrite | undefined;
}

export interface PageRequest {
  readonly topicId: number;
  readonly direction: Direction;
  /** Forward: the first offset that is wanted. Backward: the offset after it (exclusive). */
  readonly from: number;
  /** Stop before this offset (forward), or at it (backward, inclusive). Unset: at either end. */
  readonly until?: number;
  /** Up to how many records. */
  readonly records: number;
  /** Up to how many bytes of frames, but always one record. */
  readonly bytes: number;
  /**
   * The running total of frame bytes below `from`, when the cursor knows it: forward, the `endBytes` of the page before;
   * backward, that less the length of its `frames`.
   */
  readonly fromBytes?: number;
  /** The pool that the page's buffer comes from (`Page.lent`). Unset: the buffer is the page's own. */
  readonly buffers?: BufferPool;
}

/** A page as one statement saw it, beside the head. */
export interface PageRead {
  readonly head: Head;
  // Its offsets are counted from `from`. Where somebody deleted rows by other means they are wrong, and the stamps in its
  // frames tell: the reader checks the last one.
  /** Absent when there is no record at `from`: the reader is at the end, or fell off it; the head tells which. */
  readonly page: Page | undefined;
}

/** A run of offsets of which only the records are wanted whose frames hold some bytes. */
export interface PageSearchRequest {
  readonly topicId: number;
  readonly direction: Direction;
  /** As in `PageRequest`. */
  readonly from: number;
  /** How many offsets are looked at, in this direction. */
  readonly rows: number;
  /** Fewer, where they have more than about this many bytes together. */
  readonly walkBytes: number;
  /** Only frames that hold all of these bytes somewhere. The first few count; the others may not be looked for. */
  readonly needles: readonly Uint8Array[];
  /** As the page before told it; unset for the first one. The store looks in another way where the bytes are everywhere. */
  readonly density?: number | undefined;
  /** Up to how many records, and bytes of their frames, but always one record. */
  readonly records: number;
  readonly bytes: number;
}

/** What a search found as one statement saw it, beside the head. */
export interface PageSearchRead {
  readonly head: Head;
  /** Absent when there is no record at `from`: the reader is at the end, or fell off it; the head tells which. */
  readonly found:
    | {
        /** In the order of reading; none at all is allowed. */
        readonly frames: Uint8Array;
        readonly records: number;
        /** Where to search on: everything up to here was looked at, in the direction of the search. */
        readonly reached: number;
        /** More was found than fits: less than what was asked for was looked at. */
        readonly isCut: boolean;
        /** How much of what was looked at stands in blocks that hold the bytes: from 0 to 1. */
        readonly density: number;
      }
    | undefined;
}

/** Where a time begins in a topic, beside the head. */
export interface TimeRead {
  readonly head: Head;
  /**
   * Frames one behind the other: the first record of that time or later is one of them, or what is kept begins later.
   * Absent: all are older.
   */
  readonly block: { readonly firstOffset: number; readonly frames: Uint8Array } | undefined;
}

/** A record by its offset. */
export interface OffsetFrame {
  readonly offset: number;
  readonly frame: Uint8Array;
}

export interface LogStore {
  /** Compare and append: one statement. The path of every commit while this node is the only writer. */
  append(write: AppendWrite): Promise<AppendOutcome>;
  /**
   * Compare and append to several topics in one statement and one commit: each topic once, and none whose write `expires`.
   * Returns the topics that were appended to. The others were not as expected, or somebody has them locked: append to them
   * one by one.
   */
  appendTogether(writes: readonly AppendWrite[]): Promise<ReadonlySet<number>>;
  /** Reads head and producers under the head's lock, and writes what is decided on them in the same transaction. */
  appendLocked(append: LockedAppend): Promise<"committed" | "nothing" | undefined>;
  /** The head and the known ones among these producers, in one statement. */
  readView(topicId: number, producerIds: readonly string[]): Promise<LockedView | undefined>;

  /** One page, and the head from the same snapshot. */
  readPage(request: PageRequest): Promise<PageRead | undefined>;
  /** The records in a run of offsets that hold some bytes. */
  searchPage(request: PageSearchRequest): Promise<PageSearchRead | undefined>;
  /** Where the records of a time or later begin. */
  readAtTime(topicId: number, timeMicros: number): Promise<TimeRead | undefined>;
  /** Frames at some offsets, by offset; those that are not there are missing. */
  readFrames(topicId: number, offsets: readonly number[]): Promise<readonly OffsetFrame[]>;
  /** The first record that each topic keeps, by its id; topics that keep none, or are gone, are missing. */
  readFirstFrames(topicIds: readonly number[]): Promise<ReadonlyMap<number, Uint8Array>>;
}
