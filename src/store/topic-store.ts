/**
 * Topics: their names, their settings, and the heads that control them.
 *
 * **Versions.** Every change of control (close, limits, trim) raises the head's `version`, so an append that was decided on
 * an older view does not match, and is decided again. Retention does not: no append is decided on what is kept.
 */

import type { Retention, StateBuild } from "../core/index.js";

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

/** A page of names: `after` is exclusive. */
export interface TopicListRequest {
  readonly prefix: string;
  readonly after: string;
  readonly count: number;
}

export interface EpochChange {
  readonly topicId: number;
  readonly epoch: number;
  readonly newEpoch: number;
}

export interface TopicStore {
  /** Creates a topic with an empty head. */
  createTopic(topic: NewTopic): Promise<StoredTopic | "exists">;
  /**
   * Creates topics by publishing, without settings: as many as there is room for where up to `autoCreatedMax` may be
   * created so. Returns those that exist now by their names, also those that existed before; for the others there was no
   * room.
   */
  createTopics(topics: readonly AutoCreatedTopic[], autoCreatedMax: number): Promise<ReadonlyMap<string, StoredTopic>>;
  findTopic(name: string): Promise<StoredTopic | undefined>;
  /** By name; those that do not exist are missing. */
  findTopics(names: readonly string[]): Promise<ReadonlyMap<string, StoredTopic>>;
  listTopics(request: TopicListRequest): Promise<readonly StoredTopic[]>;
  /** Heads of many topics (at most 1000); those that are gone are missing. */
  readHeads(topicIds: readonly number[]): Promise<readonly Head[]>;
  updateTopic(topicId: number, change: TopicChange): Promise<StoredTopic | undefined>;
  /** Raises `earliestOffset`, never above `nextOffset` and never down. `deleteTrimmed` deletes the blocks. */
  trimTopic(topicId: number, beforeOffset: number): Promise<StoredTopic | undefined>;
  closeTopic(topicId: number): Promise<StoredTopic | undefined>;
  /** Removes name, settings and head at once, and leaves the records to `deleteOrphans`. */
  deleteTopic(topicId: number): Promise<boolean>;
  /** Gives the topic another epoch if it still has this one: its database went back in time. False: it has not. */
  renewEpoch(change: EpochChange): Promise<boolean>;
}
