/**
 * Topics: their names, their settings, and the heads that control them.
 *
 * **Versions.** Every control operation (close, limits, trim) raises the head's `version`. An append that was decided
 * on an older view then writes nothing, and is decided again. Retention does not raise it: no append depends on what is
 * kept.
 */

import type { Retention, StateBuild } from "../core/index.js";

/** A topic's head, as one statement saw it: the end of the log, and the results of control operations. */
export interface Head {
  readonly topicId: number;
  readonly epoch: number;
  /** Raised by every control operation. */
  readonly version: number;
  readonly earliestOffset: number;
  readonly nextOffset: number;
  /** Frame bytes of the records below `earliestOffset`: all that were ever trimmed. */
  readonly earliestBytes: number;
  /** Frame bytes of all records ever appended. The kept records have `nextBytes - earliestBytes`. */
  readonly nextBytes: number;
  /** The time of the newest record, microseconds since 1970; 0 before the first. */
  readonly lastTimeMicros: number;
  readonly closed: boolean;
  /** Whether the topic keeps its state. Then every append of a key has an `AppendWrite.state`. */
  readonly keyed: boolean;
  /** All tombstones of its state at or above this offset are still there. */
  readonly tombstonesFrom: number;
  /** Whether any of its records ever had a lifetime. Never becomes false again. */
  readonly expiring: boolean;
}

/** 0: the node's limit. */
export interface StoredLimits {
  readonly recordBytes: number;
  readonly batchRecords: number;
  readonly batchBytes: number;
}

/** A stored topic: name and settings, with its head. */
export interface StoredTopic {
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly limits: StoredLimits;
  /** 0: the node's default. */
  readonly retention: Retention;
  readonly createTimeMicros: number;
  readonly head: Head;
  /** The progress of building its state. Undefined: the state is complete, or the topic keeps none. */
  readonly stateBuild: StateBuild | undefined;
}

export interface NewTopic {
  readonly name: string;
  /** Random: below 2^53, never 0. */
  readonly epoch: number;
  readonly labels: ReadonlyMap<string, string>;
  readonly limits: StoredLimits;
  readonly retention: Retention;
  readonly keyed: boolean;
}

/** A topic to be created by publishing. */
export type AutoCreatedTopic = Pick<NewTopic, "name" | "epoch">;

export interface TopicChange {
  readonly labels?: ReadonlyMap<string, string>;
  readonly limits?: Partial<StoredLimits>;
  readonly retention?: Partial<Retention>;
  /** From its commit on the topic keeps its state; `buildState` adds the existing records. It cannot be undone. */
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
   * Creates topics by publishing, with default settings. Up to `autoCreatedMax` topics may be created in this way.
   * Returns the topics that exist now, by name, including those that existed before. For a missing name there was no
   * room.
   */
  createTopics(topics: readonly AutoCreatedTopic[], autoCreatedMax: number): Promise<ReadonlyMap<string, StoredTopic>>;
  findTopic(name: string): Promise<StoredTopic | undefined>;
  /** By name; names that do not exist are left out. */
  findTopics(names: readonly string[]): Promise<ReadonlyMap<string, StoredTopic>>;
  listTopics(request: TopicListRequest): Promise<readonly StoredTopic[]>;
  /** Heads of up to 1000 topics; deleted topics are left out. */
  readHeads(topicIds: readonly number[]): Promise<readonly Head[]>;
  updateTopic(topicId: number, change: TopicChange): Promise<StoredTopic | undefined>;
  /** Raises `earliestOffset`, never above `nextOffset`, and never lowers it. `deleteTrimmed` deletes the blocks. */
  trimTopic(topicId: number, beforeOffset: number): Promise<StoredTopic | undefined>;
  closeTopic(topicId: number): Promise<StoredTopic | undefined>;
  /** Deletes name, settings and head at once. `deleteOrphans` deletes the records later. */
  deleteTopic(topicId: number): Promise<boolean>;
  /** For a database that went back in time: replaces the epoch if it is still `epoch`. False: it is another one. */
  renewEpoch(change: EpochChange): Promise<boolean>;
}
