/** What is done for topics behind everybody else: retention, merging, and deleting what nobody can read any more. */

import type { Retention } from "../core/index.js";
import type { Head } from "./topic-store.js";

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

/** One step of merging a topic's small blocks. */
export interface MergeStep {
  readonly topicId: number;
  /** How many blocks are looked at. */
  readonly blocks: number;
  /** The step ends when this many bytes of frames are to be merged. */
  readonly bytes: number;
}

export interface MergeOutcome {
  /** `nothing`: what is small is too little yet. `elsewhere`: another node works on this topic, or it is gone. */
  readonly kind: "merged" | "nothing" | "elsewhere";
  /** How many blocks it made. */
  readonly merged: number;
}

/** A page of all topics, by id, of which those are wanted that have `blocks` or more that were not merged. */
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

/** Blocks of a topic to be deleted. */
export interface TrimmedBlocks {
  readonly topicId: number;
  readonly count: number;
}

/** Which producers are to be forgotten: those that are idle for longer than `idleMs`, or beyond `perTopic` in their topic. */
export interface IdleProducers {
  readonly idleMs: number;
  readonly perTopic: number;
  readonly count: number;
}

export interface UpkeepStore {
  /** Which topics hold more than their retention keeps. */
  findOverdue(request: OverdueRequest): Promise<OverdueRead>;
  /**
   * Raises `earliestOffset` to what retention keeps; `deleteTrimmed` deletes the blocks. Returns the head after that, or
   * undefined when there was nothing to do. Safe at any number of nodes at once.
   */
  applyRetention(call: RetentionCall): Promise<Head | undefined>;
  /** Topics with records that have a lifetime, by id; `after` is exclusive. */
  findExpiring(after: number, count: number): Promise<readonly Head[]>;

  /** Up to `count` topics that still hold blocks below their earliest offset. */
  findTrimmed(count: number): Promise<readonly number[]>;
  /** Deletes up to `count` blocks below `earliestOffset`, ascending. Returns how many it deleted. */
  deleteTrimmed(blocks: TrimmedBlocks): Promise<number>;
  /** Deletes up to `count` rows of topics that are gone: blocks, producers, state. Returns how many it deleted. */
  deleteOrphans(count: number): Promise<number>;
  /** Forgets up to `count` producers. Returns how many. */
  deleteIdleProducers(producers: IdleProducers): Promise<number>;
  /** The topics that have the `count` oldest tombstones among those older than a time, and until when those are. */
  findOldTombstones(beforeMicros: number, count: number): Promise<readonly OldTombstones[]>;
  /** Deletes up to `count` of them, the oldest first, and raises `tombstonesFrom` above them. Returns how many it deleted. */
  purgeTombstones(old: OldTombstones, count: number): Promise<number>;

  findUnmerged(request: UnmergedRequest): Promise<UnmergedRead>;
  /**
   * Merges a run of a topic's small blocks, oldest first, into full ones; nothing that a reader can see changes. Safe at any
   * number of nodes at once, beside appends, trims and deletions.
   */
  mergeBlocks(step: MergeStep): Promise<MergeOutcome>;

  /** Whoever holds the database's oldest snapshot but for this statement; undefined: nobody whom it may see. */
  findOldestSnapshot(): Promise<HeldSnapshot | undefined>;
  /** Lets what was deleted and replaced be written over, where that is much. Returns what it did, for logs. */
  reclaimSpace(): Promise<readonly string[]>;
  /** The same for `deleted` blocks, once they are much for the log. False: not yet. */
  reclaimBlocks(deleted: number): Promise<boolean>;
}
