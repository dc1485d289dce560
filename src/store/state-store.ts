/**
 * States: the latest record of each key of a keyed topic.
 *
 * A state changes in the transaction of the append: whoever sees the head sees the state that belongs to it. It outlives
 * the records that were trimmed. Of a topic that was turned keyed it is whole once there is no `stateBuild`. A tombstone is
 * deleted in the same commit that raises `tombstonesFrom` above it.
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
  /** What has expired by then is left out, microseconds since 1970. Unset: nothing is. */
  readonly unexpiredAt?: number;
}

/** A page of a keyed topic's state in the order of its changes. */
export interface StateChangesRequest {
  readonly topicId: number;
  readonly prefix: string;
  /** The first offset that is wanted. */
  readonly from: number;
  /** Tombstones below this offset are left out: a reader that began without them needs none of them. */
  readonly tombstonesFrom: number;
  /** How many rows are looked at, whether they are wanted or not. */
  readonly records: number;
  readonly bytes: number;
  /** What has expired by then is left out, microseconds since 1970. Unset: nothing is. */
  readonly unexpiredAt?: number;
}

/**
 * A page of a keyed topic's state of which only some is wanted: without tombstones, in the order of keys or of changes.
 * What the database cannot tell for certain is left to the reader of the frames.
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
  /** Only frames that hold all of these bytes somewhere. The first few count; the others may not be looked for. */
  readonly needles: readonly Uint8Array[];
  /** As the page before told it. Unset: the store chooses what costs less. */
  readonly path?: StatePath | undefined;
  /** How many rows are looked at, at most; of those in a rectangle it may be all. */
  readonly rows: number;
  readonly records: number;
  readonly bytes: number;
  /** What has expired by then is left out, microseconds since 1970. Unset: nothing is. */
  readonly unexpiredAt?: number;
}

/** How the store finds a part of a state: by a walk over the whole, or from the places in a rectangle. */
export type StatePath = "whole" | "place";

export interface StateSearchRead {
  readonly head: Head;
  /** Where to search on: everything up to these was looked at. Absent: there is nothing more. */
  readonly reached: { readonly key: string; readonly offset: number } | undefined;
  /** Absent when none of it was what is wanted. */
  readonly page: Pick<StatePage, "frames" | "records"> | undefined;
  /** More was found than fits: less than what was asked for was looked at. */
  readonly isCut: boolean;
  /** For the next page. */
  readonly path: StatePath;
}

/** A page of state as one statement saw it, beside the head. */
export interface StatePageRead {
  readonly head: Head;
  /** Absent when nothing of it is left. */
  readonly page: StatePage | undefined;
}

/** Some keys of a keyed topic. */
export interface StateKeysRequest {
  readonly topicId: number;
  readonly keys: readonly string[];
  /** As many bytes as all of their frames may have together. */
  readonly bytes: number;
  /** What has expired by then is left out, microseconds since 1970. Unset: nothing is. */
  readonly unexpiredAt?: number;
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

/** One step of building a state. */
export interface BuildStep {
  readonly topicId: number;
  /** How many records it takes. Unset: few enough that nobody waits long for it. */
  readonly records?: number;
  /** Up to how many bytes of frames, but always one record. */
  readonly bytes: number;
}

/** What a record of the log means for a state that is being built. `index` counts from the first of the step. */
export interface BuildChange extends StateChange {
  /** When it was taken. */
  readonly timeMicros: number;
}

/** What `records` frames, one behind the other, do to a state: each key once, with its last record of them. */
export type FindChanges = (frames: Uint8Array, records: number) => readonly BuildChange[];

/** `elsewhere`: another node is building it, or has built it. */
export type BuildOutcome = "moved" | "whole" | "elsewhere";

export interface StateStore {
  /**
   * The latest records of some keys, in the order of keys, without tombstones: all of them, or none where they have more
   * than `bytes` together.
   */
  readState(request: StateKeysRequest): Promise<StateKeysRead | undefined>;
  listState(request: StateListRequest): Promise<StatePageRead | undefined>;
  readStateChanges(request: StateChangesRequest): Promise<StatePageRead | undefined>;
  searchState(request: StateSearchRequest): Promise<StateSearchRead | undefined>;

  /** Up to `count` topics whose state is being built. */
  findBuilds(count: number): Promise<readonly number[]>;
  /**
   * Builds on, from the newest record that was there when the topic was turned keyed to the oldest. Safe at any number of
   * nodes at once; each step is whole or nothing.
   */
  buildState(step: BuildStep, changesIn: FindChanges): Promise<BuildOutcome>;
}
