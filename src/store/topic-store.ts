/**
 * What the engine needs of a database to keep topics, and what it may rely on.
 *
 * - **Order.** Of two appends at one offset the second finds the first one's block there, and writes nothing; so offsets
 *   are gapless and become visible in commit order (invariant 1). A read that sees offset n could have seen every offset
 *   below n.
 * - **Durability.** `append` and `appendLocked` return after the commit (invariant 2); records, head and producers
 *   change in one transaction (invariant 3).
 * - **Snapshots.** A page and the head beside it come from one statement: a trim, a close or a delete cannot make a
 *   silent gap between them (invariant 5).
 * - **State.** The state of a keyed topic changes in the transaction of the append: whoever sees the head sees the state
 *   that belongs to it. It outlives the records that were trimmed. Of a topic that was turned keyed it is whole once
 *   there is no `stateBuild`. A tombstone goes in the same commit that raises `tombstonesFrom` above it.
 * - **Versions.** Every change of control (close, limits, trim) raises `version`, so an append that was decided on an
 *   older view does not match, and is decided again. Retention does not: no append is decided on what is kept.
 * - **Failures.** A database that is away, too slow or out of connections is a `StoreUnavailableError`. It says whether
 *   the statement's outcome is unknown: then it may have been committed. Anything else that it throws is a fault.
 * - **Waiting.** Statements and pool waits have time limits. An aborted signal abandons the wait, never the statement.
 */

import type { BufferPool, Direction, Page, ProducerState, Rectangle, Retention, StateBuild } from "../core/index.js";

/** A topic's head as one statement saw it: what changes with every append, and what control changed last. */
export interface Head {
  readonly topicId: number;
  readonly epoch: number;
  /** Raised by every change of control. */
  readonly version: number;
  readonly earliestOffset: number;
  readonly nextOffset: number;
  /** Frame bytes of the records below `earliestOffset`, all that were ever trimmed. */
  readonly earliestBytes: number;
  /** Frame bytes of all records that were ever appended. Kept: `nextBytes - earliestBytes`. */
  readonly nextBytes: number;
  /** Time of the newest record, microseconds since 1970; 0 before the first. */
  readonly lastTimeMicros: number;
  readonly closed: boolean;
  /** Whether the topic keeps its state: then every append of a key says so (`AppendWrite.state`). */
  readonly keyed: boolean;
  /** The tombstones of its state at or above this offset are all still there. */
  readonly tombstonesFrom: number;
  /** Whether any of its records was given a lifetime. Once true it stays so. */
  readonly expiring: boolean;
}

/** 0: the node's limit. */
export interface StoredLimits {
  readonly recordBytes: number;
  readonly batchRecords: number;
  readonly batchBytes: number;
}

/** A topic as it is stored: names and settings, with its head. */
export interface StoredTopic {
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly limits: StoredLimits;
  /** 0: the node's default. */
  readonly retention: Retention;
  readonly createTimeMicros: number;
  readonly head: Head;
  /** How far its state is, while that is being built; absent when it is whole, or the topic keeps none. */
  readonly stateBuild: StateBuild | undefined;
}

export interface NewTopic {
  readonly name: string;
  /** At random: below 2^53, never 0. */
  readonly epoch: number;
  readonly labels: ReadonlyMap<string, string>;
  readonly limits: StoredLimits;
  readonly retention: Retention;
  readonly keyed: boolean;
}

/** A topic that publishing creates. */
export type AutoCreatedTopic = Pick<NewTopic, "name" | "epoch">;

export interface TopicChange {
  readonly labels?: ReadonlyMap<string, string>;
  readonly limits?: Partial<StoredLimits>;
  readonly retention?: Partial<Retention>;
  /** From its commit on the topic keeps its state; what it held before waits for `buildState`. It cannot be undone. */
  readonly keyed?: true;
}

/** Where retention is to be applied. What a topic does not say for itself is in `defaults`. */
export interface RetentionCall {
  readonly topicId: number;
  /** What age is reckoned from. */
  readonly nowMicros: number;
  readonly defaults: Retention;
  /** Records below this offset leave whatever the topic keeps: they have expired. */
  readonly beforeOffset?: number;
}

/** A page of the topics that retention applies to: by id, `after` is exclusive. */
export interface OverdueRequest {
  readonly after: number;
  readonly count: number;
  readonly nowMicros: number;
  readonly defaults: Retention;
}

export interface OverdueRead {
  /** Those that hold more than they keep. */
  readonly topicIds: readonly number[];
  /** Where to go on; undefined: that was the last page. */
  readonly after: number | undefined;
}

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

export interface PageRequest {
  readonly topicId: number;
  readonly direction: Direction;
  /** Forward: the first offset that is wanted. Backward: the offset after it (exclusive). */
  readonly from: number;
  /** Stop before this offset (forward), or at it (backward, inclusive). Unset: at either end. */
  readonly until?: number;
  /** At most so many records. */
  readonly records: number;
  /** At most so many bytes of frames, but always one record. */
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
  /** Fewer, where they have about more than so many bytes together. */
  readonly walkBytes: number;
  /** Only frames that hold all of these bytes somewhere; at most `needlesMax`. */
  readonly needles: readonly Uint8Array[];
  /** Whether the database looks for the bytes first, and leaves out blocks without them: right where few have them. */
  readonly skipsBlocks: boolean;
  /** At most so many records, and so many bytes of frames, but always one record. */
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

/** A page of a keyed topic's state in the order of keys, without tombstones. */
export interface StateListRequest {
  readonly topicId: number;
  /** Only keys that begin with this. */
  readonly prefix: string;
  /** Only keys above this one. Unset: from the first. */
  readonly after: string | undefined;
  readonly records: number;
  /** At most so many bytes of frames, but always one record. */
  readonly bytes: number;
  /** What has expired by then is left out, microseconds since 1970. Unset: nothing is. */
  readonly unexpiredAt?: number;
}

/** A page of a keyed topic's state in the order of its changes. */
export interface StateChangesRequest {
  readonly topicId: number;
  readonly prefix: string;
  /** The first offset that is wanted. */
  readonly from: number;
  /** Tombstones below this offset are left out: whoever began without them needs none of them. */
  readonly tombstonesFrom: number;
  /** How many rows are looked at, whether they are wanted or not. */
  readonly records: number;
  readonly bytes: number;
  /** What has expired by then is left out, microseconds since 1970. Unset: nothing is. */
  readonly unexpiredAt?: number;
}

/**
 * A page of a keyed topic's state of which only some is wanted: without tombstones, in the order of keys or of changes.
 * What the database cannot tell for certain is left to whoever reads the frames.
 */
export interface StateSearchRequest {
  readonly topicId: number;
  readonly prefix: string;
  readonly order: /** Above this key, or from the first. */
    | { readonly by: "key"; readonly after: string | undefined }
    /** From this offset on, below that one. */
    | { readonly by: "offset"; readonly from: number; readonly until: number };
  /** Only what is inside. */
  readonly rectangle: Rectangle | undefined;
  /** Only frames that hold all of these bytes somewhere; at most `needlesMax`. */
  readonly needles: readonly Uint8Array[];
  /** `place` is for a rectangle that `choosePath` said it for. */
  readonly path: StatePath;
  /** How many rows are looked at, at most; on the path by place all that is inside is. */
  readonly rows: number;
  readonly records: number;
  readonly bytes: number;
  /** What has expired by then is left out, microseconds since 1970. Unset: nothing is. */
  readonly unexpiredAt?: number;
}

/** How a part of a state is found: by a walk over the whole, or from the places in a rectangle. */
export type StatePath = "whole" | "place";

/** How many needles a statement takes. */
export const needlesMax = 3;

export interface StateSearchRead {
  readonly head: Head;
  /** Where to search on: everything up to these was looked at. Absent: there is nothing more. */
  readonly reached: { readonly key: string; readonly offset: number } | undefined;
  /** Absent when none of it was what is wanted. */
  readonly page: Pick<StatePage, "frames" | "records"> | undefined;
  /** More was found than fits: less than what was asked for was looked at. */
  readonly isCut: boolean;
}

/** A read whose plan is asked for. */
export type ExplainedRead =
  | { readonly of: "page"; readonly request: PageRequest }
  | { readonly of: "page-search"; readonly request: PageSearchRequest }
  | { readonly of: "state-search"; readonly request: StateSearchRequest }
  | { readonly of: "state-changes"; readonly request: StateChangesRequest };

/** A page of state as one statement saw it, beside the head. */
export interface StatePageRead {
  readonly head: Head;
  /** Absent when nothing of it is left. */
  readonly page: StatePage | undefined;
}

/** The latest records of some keys as one statement saw them, beside the head. */
export interface StateKeysRead {
  readonly head: Head;
  readonly records: number;
  /** Of their frames. */
  readonly bytes: number;
  /** One behind the other. Undefined: they have more bytes than were allowed. */
  readonly frames: Uint8Array | undefined;
}

export interface StatePage {
  /** Frames one behind the other. */
  readonly frames: Uint8Array;
  readonly records: number;
  readonly lastKey: string;
  readonly lastOffset: number;
}

/** One step of building a state: so many of the records that come next. */
export interface BuildStep {
  readonly topicId: number;
  readonly records: number;
  /** At most so many bytes of frames, but always one record. */
  readonly bytes: number;
}

/** What a record of the log means for a state that is being built. `index` counts from the first of the step. */
export interface BuildChange extends StateChange {
  /** When it was taken. */
  readonly timeMicros: number;
}

/** What so many frames, one behind the other, do to a state: each key once, with its last record of them. */
export type FindChanges = (frames: Uint8Array, records: number) => readonly BuildChange[];

/** `elsewhere`: another node is at it, or it is through with it. */
export type BuildOutcome = "moved" | "whole" | "elsewhere";

/** One step of merging a topic's small blocks. */
export interface MergeStep {
  readonly topicId: number;
  /** How many blocks are looked at. */
  readonly blocks: number;
  /** When so many bytes of frames are to be merged, the step ends. */
  readonly bytes: number;
}

export interface MergeOutcome {
  /** `nothing`: what is small is too little yet. `elsewhere`: another node is at this topic, or it is gone. */
  readonly kind: "merged" | "nothing" | "elsewhere";
  /** How many blocks it made. */
  readonly merged: number;
}

/** A page of all topics, by id, of which those are wanted that have so many blocks that were not merged. */
export interface UnmergedRequest {
  readonly after: number;
  readonly count: number;
  readonly blocks: number;
}

export interface UnmergedRead {
  readonly topicIds: readonly number[];
  /** Where to go on; undefined: that was the last page. */
  readonly after: number | undefined;
}

/** A topic's tombstones up to and with those of a time. */
export interface OldTombstones {
  readonly topicId: number;
  readonly untilMicros: number;
}

/** A snapshot that somebody holds in the database. */
export interface HeldSnapshot {
  /** Of the backend; null: of a transaction that was prepared. */
  readonly pid: number | null;
  /** What the session calls itself. */
  readonly name: string;
  readonly role: string | null;
  readonly seconds: number;
}

/** A page of names: `after` is exclusive. */
export interface TopicListRequest {
  readonly prefix: string;
  readonly after: string;
  readonly count: number;
}

export interface TopicStore {
  /** `postgres` or `embedded`; for logs, metrics and the choice of page sizes. */
  readonly kind: "postgres" | "embedded";
  /** How many statements can run at once: the pool's size. */
  readonly connections: number;

  /** Creates a topic with an empty head. */
  createTopic(topic: NewTopic): Promise<StoredTopic | "exists">;
  /**
   * Creates topics of which nothing is said, by publishing: as many as there is room for where `most` may be created so.
   * Gives those that are there now by their names, also those that were there before; the rest found no room.
   */
  createTopics(topics: readonly AutoCreatedTopic[], most: number): Promise<ReadonlyMap<string, StoredTopic>>;
  findTopic(name: string): Promise<StoredTopic | undefined>;
  /** By name; those that are not there are missing. */
  findTopics(names: readonly string[]): Promise<ReadonlyMap<string, StoredTopic>>;
  listTopics(request: TopicListRequest): Promise<readonly StoredTopic[]>;
  /** Undefined: there is no such topic (any more). */
  updateTopic(topicId: number, change: TopicChange): Promise<StoredTopic | undefined>;
  /** Raises `earliestOffset` (never above `nextOffset`, never down). The rows go later, by `deleteTrimmed`. */
  trimTopic(topicId: number, beforeOffset: number): Promise<StoredTopic | undefined>;
  closeTopic(topicId: number): Promise<StoredTopic | undefined>;
  /** Removes names, settings and head at once, and leaves the records for `deleteOrphans`. False: it was gone. */
  deleteTopic(topicId: number): Promise<boolean>;
  /** Gives the topic another epoch, if it still has this one: its database went back in time. */
  renewEpoch(topicId: number, epoch: number, newEpoch: number): Promise<boolean>;

  /** Compare and append: one statement. The path of every commit while this node is the only writer. */
  append(write: AppendWrite): Promise<AppendOutcome>;
  /**
   * Compare and append to several topics in one statement and one commit: each topic once, and none whose write `expires`.
   * Gives the topics that were appended to. The others were not as expected, or somebody has them locked: append them alone.
   */
  appendTogether(writes: readonly AppendWrite[]): Promise<ReadonlySet<number>>;
  /**
   * Append under the head's lock: reads head and producers, lets `decide` choose (synchronously), and writes in a later
   * statement of the same transaction. `decide` may return undefined to write nothing. Undefined: the topic is gone.
   */
  appendLocked(
    topicId: number,
    producerIds: readonly string[],
    decide: (view: LockedView) => AppendWrite | undefined,
  ): Promise<"committed" | "nothing" | undefined>;
  /** Head and the known ones among these producers, in one statement. Undefined: the topic is gone. */
  readView(topicId: number, producerIds: readonly string[]): Promise<LockedView | undefined>;

  /** One page, and the head from the same snapshot. Undefined: the topic is gone. */
  readPage(request: PageRequest): Promise<PageRead | undefined>;
  /** What a run of offsets holds of some bytes. Undefined: the topic is gone. */
  searchPage(request: PageSearchRequest): Promise<PageSearchRead | undefined>;
  /** Where the records of a time or later begin. Undefined: the topic is gone. */
  readAtTime(topicId: number, timeMicros: number): Promise<TimeRead | undefined>;
  /** Frames at some offsets, by offset; those that are not there are missing. */
  readFrames(
    topicId: number,
    offsets: readonly number[],
  ): Promise<readonly { readonly offset: number; readonly frame: Uint8Array }[]>;
  /** The first record that each topic keeps, by its id; topics that keep none, or are gone, are missing. */
  readFirstFrames(topicIds: readonly number[]): Promise<ReadonlyMap<number, Uint8Array>>;
  /**
   * The latest records of these keys, in the order of keys, without tombstones: all of them, or none where they have more
   * than `bytes` together. Undefined: the topic is gone.
   */
  readState(
    topicId: number,
    keys: readonly string[],
    bytes: number,
    unexpiredAt?: number,
  ): Promise<StateKeysRead | undefined>;
  listState(request: StateListRequest): Promise<StatePageRead | undefined>;
  readStateChanges(request: StateChangesRequest): Promise<StatePageRead | undefined>;
  searchState(request: StateSearchRequest): Promise<StateSearchRead | undefined>;
  /** What the database would do for a read, in its own words. */
  explain(read: ExplainedRead): Promise<string>;
  /** Which path to what is inside costs less: few places are looked up, page by page; for many the whole is walked once. */
  choosePath(topicId: number, rectangle: Rectangle): Promise<StatePath>;
  /** Heads of many topics (at most 1000); those that are gone are missing. */
  readHeads(topicIds: readonly number[]): Promise<readonly Head[]>;

  /** Which topics hold more than their retention keeps. */
  findOverdue(request: OverdueRequest): Promise<OverdueRead>;
  /**
   * Raises `earliestOffset` to what retention keeps, and leaves `version`; the rows go later, by `deleteTrimmed`. Gives the
   * head after that, or undefined when there was nothing to do. Safe at any number of nodes at once.
   */
  applyRetention(call: RetentionCall): Promise<Head | undefined>;
  /** Topics with records that have a lifetime, by id; `after` is exclusive. */
  findExpiring(after: number, count: number): Promise<readonly Head[]>;
  /** Deletes up to `count` blocks below `earliestOffset`, ascending. Returns how many went. */
  deleteTrimmed(topicId: number, count: number): Promise<number>;
  /** Deletes up to `count` rows of topics that are gone: blocks, producers, state. Returns how many went. */
  deleteOrphans(count: number): Promise<number>;
  /**
   * Merges a run of a topic's small blocks, oldest first, into full ones; nothing that a reader can see changes. Safe at any
   * number of nodes at once, beside appends, trims and deletions.
   */
  mergeBlocks(step: MergeStep): Promise<MergeOutcome>;
  findUnmerged(request: UnmergedRequest): Promise<UnmergedRead>;
  /** Topics that still hold rows below their earliest offset. */
  findTrimmed(count: number): Promise<readonly number[]>;
  /** Topics whose state is being built, at most `count`. */
  findBuilds(count: number): Promise<readonly number[]>;
  /**
   * A step from the newest record to the oldest that was there when the topic was turned keyed: Safe at any number of nodes at once; each step is whole or nothing.
   */
  buildState(step: BuildStep, changesIn: FindChanges): Promise<BuildOutcome>;
  /** The topics that have the `count` oldest tombstones among those older than a time, and until when those are. */
  findOldTombstones(beforeMicros: number, count: number): Promise<readonly OldTombstones[]>;
  /** Deletes up to `count` of them, the oldest first, and raises `tombstonesFrom` above them. Returns how many went. */
  purgeTombstones(old: OldTombstones, count: number): Promise<number>;
  /** Forgets up to `count` producers that are idle for longer than `idleMs`, or beyond `perTopic` in their topic. */
  deleteIdleProducers(idleMs: number, perTopic: number, count: number): Promise<number>;
  /** Whoever holds the database's oldest snapshot but for this statement; undefined: nobody whom it may see. */
  findOldestSnapshot(): Promise<HeldSnapshot | undefined>;
  /** Vacuums and analyses hot tables with many dead rows. Returns the names of those it did. */
  vacuum(): Promise<readonly string[]>;
  /** Vacuums the blocks of which so many were deleted since the last time, if that is much for the table. False: not yet. */
  vacuumBlocks(deleted: number): Promise<boolean>;

  /** The database's own clock, microseconds since 1970. */
  now(): Promise<number>;
  /** Ends every connection after the statements under way. */
  close(): Promise<void>;
}

/** The database did not do it, or did not say that it did. */
export class StoreUnavailableError extends Error {
  override readonly name = "StoreUnavailableError";
  /** True when the statement was sent and its answer is missing: it may have been committed. */
  readonly outcomeUnknown: boolean;
  /** Why, in a sentence for callers, which names nothing of the database's own. */
  readonly why: string;

  constructor(message: string, outcomeUnknown: boolean, cause?: unknown, why = "The database is away") {
    super(message, { cause });
    this.outcomeUnknown = outcomeUnknown;
    this.why = why;
  }
}
