/** Logs: appending to them and reading them. */

import type { BufferPool, Direction, Page, ProducerState } from "../core/index.js";
import type { Head } from "./topic-store.js";

/** One commit: consecutive stamped frames, and how they change the topic. */
export interface AppendWrite {
  readonly topicId: number;
  /** The view that the commit was decided on. */
  readonly expected: { readonly nextOffset: number; readonly version: number; readonly epoch: number };
  /** All frames, concatenated. */
  readonly frames: Uint8Array;
  /** Where each frame ends in `frames`, ascending: one entry for each record. */
  readonly frameEnds: ArrayLike<number> & Iterable<number>;
  /** The topic's running total of frame bytes before this commit: the head's `nextBytes`. */
  readonly baseBytes: number;
  /** Stamped on every record. */
  readonly timeMicros: number;
  /** The producers whose sequences advanced, with their state after this commit. */
  readonly producers: readonly ProducerState[];
  /** Changes of a keyed topic's state: each key once, with its last record of this commit. */
  readonly state: readonly StateChange[];
  /** These records have the topic's first lifetimes, and the head must be marked. */
  readonly expires: boolean;
}

/** A key, and which record of the commit, counted from 0, is its latest. */
export interface StateChange {
  readonly key: string;
  readonly index: number;
  /** The record has no body: the key is removed. */
  readonly isTombstone: boolean;
  /** The record's location, in degrees. */
  readonly place: { readonly latitude: number; readonly longitude: number } | undefined;
  /** The end of its lifetime in the state, microseconds since 1970. Absent: it stays until it is replaced. */
  readonly expiryMicros?: number | undefined;
}

/** `moved`: the head was not as expected, and nothing was written. */
export type AppendOutcome = "appended" | "moved";

/** What an appender sees in its transaction, while it holds the lock of the head. */
export interface LockedView {
  readonly head: Head;
  /** Those of the requested producers that are known. */
  readonly producers: readonly ProducerState[];
}

/** An append under the lock of a topic's head. */
export interface LockedAppend {
  readonly topicId: number;
  readonly producerIds: readonly string[];
  /**
   * Chooses what to write, synchronously. Undefined: nothing. If it throws, all is rolled back and the error rethrown.
   */
  readonly decide: (view: LockedView) => AppendWrite | undefined;
}

export interface PageRequest {
  readonly topicId: number;
  readonly direction: Direction;
  /** Forward: the first wanted offset. Backward: one above it (exclusive). */
  readonly from: number;
  /** Stop before this offset (forward), or at it (backward, inclusive). Unset: at either end. */
  readonly until?: number;
  /** Up to this number of records. */
  readonly records: number;
  /** Up to this number of frame bytes, but always one record. */
  readonly bytes: number;
  /**
   * The running total of frame bytes below `from`, if the cursor knows it. Forward: `endBytes` of the page before.
   * Backward: that value less the length of its `frames`.
   */
  readonly fromBytes?: number;
  /** The pool that the page's buffer comes from (`Page.lent`). Unset: the buffer is the page's own. */
  readonly buffers?: BufferPool;
}

/** A page and the head, as one statement saw them. */
export interface PageRead {
  readonly head: Head;
  // Offsets are counted from `from`. If rows were deleted by other means the count is wrong: the reader compares the
  // last one with the stamp in its frame.
  /** Absent: there is no record at `from`. The head tells whether the reader is at the end or was trimmed past. */
  readonly page: Page | undefined;
}

/** Searches a range of offsets for the records whose frames contain some bytes. */
export interface PageSearchRequest {
  readonly topicId: number;
  readonly direction: Direction;
  /** As in `PageRequest`. */
  readonly from: number;
  /** How many offsets to search, in this direction. */
  readonly rows: number;
  /** Searches fewer offsets where they have more than about this number of bytes together. */
  readonly walkBytes: number;
  /** Only frames that contain all of these. The store may use only the first few: other frames may be returned. */
  readonly needles: readonly Uint8Array[];
  /**
   * From the page before; unset for the first. Where most blocks contain the bytes, the store searches in another way.
   */
  readonly density?: number | undefined;
  /** Up to this number of records and of frame bytes, but always one record. */
  readonly records: number;
  readonly bytes: number;
}

/** The result of a search and the head, as one statement saw them. */
export interface PageSearchRead {
  readonly head: Head;
  /** Absent: there is no record at `from`. The head tells whether the reader is at the end or was trimmed past. */
  readonly found:
    | {
        /** In the order of reading; may be empty. */
        readonly frames: Uint8Array;
        readonly records: number;
        /** Where to continue: all before this was searched, in the direction of the search. */
        readonly reached: number;
        /** More was found than fits, so the search ended early. */
        readonly isCut: boolean;
        /** The share of the searched bytes in blocks that contain the needles: 0 to 1. */
        readonly density: number;
      }
    | undefined;
}

/** The first record at or after a time, and the head. */
export interface TimeRead {
  readonly head: Head;
  /**
   * A block with the first record at or after the time, unless that record is the topic's first. Absent: all records
   * are older.
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
   * Compare and append to several topics in one statement and one commit: each topic once, and none whose write
   * `expires`. Returns the topics that were appended to. The others had another head than expected, or their head was
   * locked: append to each of them alone.
   */
  appendTogether(writes: readonly AppendWrite[]): Promise<ReadonlySet<number>>;
  /** Reads head and producers under the head's lock, and writes what is decided on them, in one transaction. */
  appendLocked(append: LockedAppend): Promise<"committed" | "nothing" | undefined>;
  /** The head, and those of the given producers that are known, in one statement. */
  readView(topicId: number, producerIds: readonly string[]): Promise<LockedView | undefined>;

  /** One page and the head, from one snapshot. */
  readPage(request: PageRequest): Promise<PageRead | undefined>;
  /** The records in a range of offsets that contain some bytes. */
  searchPage(request: PageSearchRequest): Promise<PageSearchRead | undefined>;
  /** Where the records at or after a time begin. */
  readAtTime(topicId: number, timeMicros: number): Promise<TimeRead | undefined>;
  /** The frames at some offsets, in order. Offsets without a record are left out. */
  readFrames(topicId: number, offsets: readonly number[]): Promise<readonly OffsetFrame[]>;
  /** The first record of each topic, by topic id. Topics without records, and deleted topics, are missing. */
  readFirstFrames(topicIds: readonly number[]): Promise<ReadonlyMap<number, Uint8Array>>;
}
