/**
 * States: the latest record of each key of a keyed topic.
 *
 * A state changes in the transaction of the append, so a snapshot shows matching head and state. It outlives trimmed
 * records. The state of a topic that was turned keyed is complete once there is no `stateBuild`. The commit that
 * deletes a tombstone raises `tombstonesFrom` above it.
 */

import type { Rectangle } from "../core/index.js";
import type { StateChange } from "./log-store.js";
import type { Head } from "./topic-store.js";

/** A page of a keyed topic's state in the order of keys, without tombstones. */
export interface StateListRequest {
  readonly topicId: number;
  /** Only keys that begin with this. */
  readonly prefix: string;
  /** Only keys above this one. Unset: from the first. */
  readonly after: string | undefined;
  readonly records: number;
  /** Up to how many bytes of frames, but always one record. */
  readonly bytes: number;
  /** Leaves out records whose lifetime is over at this time, microseconds since 1970. Unset: includes them. */
  readonly unexpiredAt?: number;
}

/** A page of a keyed topic's state in the order of its changes. */
export interface StateChangesRequest {
  readonly topicId: number;
  readonly prefix: string;
  /** The first wanted offset. */
  readonly from: number;
  /** Leaves out tombstones below this offset: a reader that began without them does not need them. */
  readonly tombstonesFrom: number;
  /** How many rows to examine, wanted or not. */
  readonly records: number;
  readonly bytes: number;
  /** Leaves out records whose lifetime is over at this time, microseconds since 1970. Unset: includes them. */
  readonly unexpiredAt?: number;
}

/**
 * A search of a keyed topic's state, without tombstones, in the order of keys or of changes. The store may return
 * frames that do not match where the database cannot decide: the caller evaluates them.
 */
export interface StateSearchRequest {
  readonly topicId: number;
  readonly prefix: string;
  readonly order: /** Above this key; undefined: from the first. */
    | { readonly by: "key"; readonly after: string | undefined }
    /** From `from` up to `until` (exclusive). */
    | { readonly by: "offset"; readonly from: number; readonly until: number };
  /** Only records inside it. */
  readonly rectangle: Rectangle | undefined;
  /** Only frames that contain all of these. The store may use only the first few: other frames may be returned. */
  readonly needles: readonly Uint8Array[];
  /** From the page before. Unset: the store chooses the cheaper one. */
  readonly path?: StatePath | undefined;
  /** Up to this number of rows to examine; those in a rectangle may all be examined. */
  readonly rows: number;
  readonly records: number;
  readonly bytes: number;
  /** Leaves out records whose lifetime is over at this time, microseconds since 1970. Unset: includes them. */
  readonly unexpiredAt?: number;
}

/** How the store searches a state: by a walk over all of it, or by the places in a rectangle. */
export type StatePath = "whole" | "place";

export interface StateSearchRead {
  readonly head: Head;
  /** Where to continue: all rows up to this key and offset were examined. Absent: nothing is left. */
  readonly reached: { readonly key: string; readonly offset: number } | undefined;
  /** Absent: nothing matched. */
  readonly page: Pick<StatePage, "frames" | "records"> | undefined;
  /** More was found than fits, so the search ended early. */
  readonly isCut: boolean;
  /** For the next page. */
  readonly path: StatePath;
}

/** A page of state and the head, as one statement saw them. */
export interface StatePageRead {
  readonly head: Head;
  /** Absent: nothing is left. */
  readonly page: StatePage | undefined;
}

/** Some keys of a keyed topic. */
export interface StateKeysRequest {
  readonly topicId: number;
  readonly keys: readonly string[];
  /** Up to this number of bytes for all their frames together. */
  readonly bytes: number;
  /** Leaves out records whose lifetime is over at this time, microseconds since 1970. Unset: includes them. */
  readonly unexpiredAt?: number;
}

/** The latest records of some keys and the head, as one statement saw them. */
export interface StateKeysRead {
  readonly head: Head;
  readonly records: number;
  /** Of all frames together. */
  readonly bytes: number;
  /** Concatenated. Undefined: they exceed the allowed bytes. */
  readonly frames: Uint8Array | undefined;
}

export interface StatePage {
  /** Concatenated. */
  readonly frames: Uint8Array;
  readonly records: number;
  readonly lastKey: string;
  readonly lastOffset: number;
}

/** One step of building a state. */
export interface BuildStep {
  readonly topicId: number;
  /** Up to this number of records. Unset: few enough to make nobody wait long. */
  readonly records?: number;
  /** Up to this number of frame bytes, but always one record. */
  readonly bytes: number;
}

/** A change that a record of the log makes to a state being built. `index` counts from the first record of the step. */
export interface BuildChange extends StateChange {
  /** The record's time. */
  readonly timeMicros: number;
}

/** The changes that `records` concatenated frames make to a state: each key once, with its last record. */
export type FindChanges = (frames: Uint8Array, records: number) => readonly BuildChange[];

/** `elsewhere`: another node is building the state, or has completed it. */
export type BuildOutcome = "moved" | "whole" | "elsewhere";

export interface StateStore {
  /**
   * The latest records of some keys, in the order of keys, without tombstones. Returns no frames where they exceed
   * `bytes` together.
   */
  readState(request: StateKeysRequest): Promise<StateKeysRead | undefined>;
  listState(request: StateListRequest): Promise<StatePageRead | undefined>;
  readStateChanges(request: StateChangesRequest): Promise<StatePageRead | undefined>;
  searchState(request: StateSearchRequest): Promise<StateSearchRead | undefined>;

  /** Up to `count` topics whose state is being built. */
  findBuilds(count: number): Promise<readonly number[]>;
  /**
   * Takes a step of building a state: from the newest record at the time the topic was turned keyed, down to the
   * oldest. Any number of nodes may call it at once. A step is written completely or not at all.
   */
  buildState(step: BuildStep, changesIn: FindChanges): Promise<BuildOutcome>;
}
