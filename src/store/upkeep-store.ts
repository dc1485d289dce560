/** Background work on topics: retention, merging, and deleting what nobody can read any more. */

import type { Retention } from "../core/index.js";
import type { Head } from "./topic-store.js";

/** Applies retention to a topic. `defaults` are for what the topic does not set. */
export interface RetentionCall {
  readonly topicId: number;
  /** The time that ages are counted from. */
  readonly nowMicros: number;
  readonly defaults: Retention;
  /** Records below this offset are removed in any case: their lifetimes are over. */
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
  /** The topics that hold more than they keep. */
  readonly topicIds: readonly number[];
  /** Where to continue. Undefined: that was the last page. */
  readonly after: number | undefined;
}

/** One step of merging a topic's small blocks. */
export interface MergeStep {
  readonly topicId: number;
  /** How many blocks to examine. */
  readonly blocks: number;
  /** The step ends once it has this number of frame bytes to merge. */
  readonly bytes: number;
}

export interface MergeOutcome {
  /**
   * `nothing`: the small blocks are still too few. `elsewhere`: another node works on this topic, or it was deleted.
   */
  readonly kind: "merged" | "nothing" | "elsewhere";
  /** How many blocks were made. */
  readonly merged: number;
}

/** A page of all topics, by id, from which those with `blocks` or more unmerged blocks are wanted. */
export interface UnmergedRequest {
  readonly after: number;
  readonly count: number;
  readonly blocks: number;
}

export interface UnmergedRead {
  readonly topicIds: readonly number[];
  /** Where to continue. Undefined: that was the last page. */
  readonly after: number | undefined;
}

/** A topic's tombstones of a time or earlier. */
export interface OldTombstones {
  readonly topicId: number;
  readonly untilMicros: number;
}

/** A snapshot that is held in the database. */
export interface HeldSnapshot {
  /** The pid of the backend; null for a prepared transaction. */
  readonly pid: number | null;
  /** The connection's application name. */
  readonly name: string;
  readonly role: string | null;
  readonly seconds: number;
}

/** Blocks of a topic to be deleted. */
export interface TrimmedBlocks {
  readonly topicId: number;
  readonly count: number;
}

/** Producers to forget: those idle for longer than `idleMs`, and the oldest beyond `perTopic` in a topic. */
export interface IdleProducers {
  readonly idleMs: number;
  readonly perTopic: number;
  readonly count: number;
}

export interface UpkeepStore {
  /** The topics that hold more than their retention keeps. */
  findOverdue(request: OverdueRequest): Promise<OverdueRead>;
  /**
   * Raises `earliestOffset` to what retention keeps; `deleteTrimmed` deletes the blocks. Returns the head after that.
   * Undefined: there was nothing to do. Any number of nodes may call it at once.
   */
  applyRetention(call: RetentionCall): Promise<Head | undefined>;
  /** Topics that have records with lifetimes, by id; `after` is exclusive. */
  findExpiring(after: number, count: number): Promise<readonly Head[]>;

  /** Up to `count` topics that still hold blocks below their earliest offset. */
  findTrimmed(count: number): Promise<readonly number[]>;
  /** Deletes up to `count` blocks below `earliestOffset`, ascending. Returns how many it deleted. */
  deleteTrimmed(blocks: TrimmedBlocks): Promise<number>;
  /** Deletes up to `count` rows of deleted topics: blocks, producers, state. Returns how many it deleted. */
  deleteOrphans(count: number): Promise<number>;
  /** Forgets up to `count` producers. Returns how many. */
  deleteIdleProducers(producers: IdleProducers): Promise<number>;
  /**
   * The topics that have the `count` oldest tombstones made before a time, each with the time of its newest among
   * these.
   */
  findOldTombstones(beforeMicros: number, count: number): Promise<readonly OldTombstones[]>;
  /**
   * Deletes up to `count` of these, oldest first, and raises `tombstonesFrom` above them. Returns how many it deleted.
   */
  purgeTombstones(old: OldTombstones, count: number): Promise<number>;

  findUnmerged(request: UnmergedRequest): Promise<UnmergedRead>;
  /**
   * Merges a run of a topic's small blocks, oldest first, into full ones. Readers see no change. Any number of nodes
   * may call it at once, beside appends, trims and deletions.
   */
  mergeBlocks(step: MergeStep): Promise<MergeOutcome>;

  /** The oldest snapshot in the database, other than this statement's. Undefined: none that this user may see. */
  findOldestSnapshot(): Promise<HeldSnapshot | undefined>;
  /** Vacuums tables where many rows were deleted or replaced. Returns what it did, for logs. */
  reclaimSpace(): Promise<readonly string[]>;
  /** Vacuums the log once `deleted` blocks are many compared with its size. False: not yet. */
  reclaimBlocks(deleted: number): Promise<boolean>;
}
