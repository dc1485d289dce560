/**
 * What makes the store a stream service. The edges (`rpc/`, later `http/`) call this and nothing below it: each of their
 * methods is decode, engine, encode.
 */

import type {
  BufferPool,
  Direction,
  Position,
  Rectangle,
  Retention,
  Start,
  Until,
  WhenBehind,
  WhenTrimmed,
} from "../core/index.js";
import type { Filter } from "../filter/index.js";
import type { StoredLimits, StoredTopic, TopicChange } from "../store/index.js";
import type { LiveStream } from "../telemetry/index.js";
import type { RecordBatch } from "../wire/index.js";
import type { SubscriptionEngine } from "./subscription-engine.js";

/** A topic as it is described to users. */
export interface TopicDescription extends StoredTopic {
  /** Time of the oldest kept record. Absent when none is kept. */
  readonly firstTimeMicros: number | undefined;
}

/** What an update changes: what is absent stays. */
export interface TopicUpdate extends Omit<TopicChange, "keyed"> {
  readonly keyed?: boolean;
}

/** Topics, from their creation to their deletion. Names are checked here (`invalid-argument`). */
export interface Topics {
  /** Errors: `topic-exists`. */
  create(topic: {
    readonly name: string;
    readonly labels: ReadonlyMap<string, string>;
    readonly limits: StoredLimits;
    readonly retention: Retention;
    readonly keyed: boolean;
  }): Promise<TopicDescription>;
  /** Errors of this and the rest: `topic-not-found`. */
  get(name: string): Promise<TopicDescription>;
  /** By name; `after` is exclusive. At most `count`, and whether there are more. */
  list(request: {
    readonly prefix: string;
    readonly after: string;
    readonly count: number;
  }): Promise<{ readonly topics: readonly TopicDescription[]; readonly hasMore: boolean }>;
  /** Errors: `invalid-argument` where `keyed` is false and the topic is keyed: that cannot be undone. */
  update(name: string, change: TopicUpdate): Promise<TopicDescription>;
  /** Errors: `epoch-mismatch`; `offset-out-of-range` above the next offset. `epoch` 0 is unchecked. */
  trim(name: string, beforeOffset: number, epoch: number): Promise<TopicDescription>;
  close(name: string): Promise<TopicDescription>;
  /** Errors: `epoch-mismatch`. */
  delete(name: string, epoch: number): Promise<void>;
}

/** One batch to append. */
export interface AppendCommand {
  readonly topic: string;
  /** Who appends, as ADDRESS:PORT: what publishing creates is counted by address. Unset: nobody's. */
  readonly peer?: string;
  /** At least one record. */
  readonly batch: RecordBatch;
  readonly expectedOffset: number | undefined;
  readonly producer: { readonly id: string; readonly generation: number; readonly sequence: number } | undefined;
  /** 0: unchecked. */
  readonly epoch: number;
}

/** Where a batch went. */
export interface Appended {
  readonly firstOffset: number;
  readonly nextOffset: number;
  readonly epoch: number;
  /** The producer's sequence had been applied before; the offsets are those of then. */
  readonly repeated: boolean;
}

/** What opens a Publish call: its first message, apart from its records. `producer.sequence` is the first batch's. */
export interface PublishOpening {
  readonly topic: string;
  readonly producer: { readonly id: string; readonly generation: number; readonly sequence: number } | undefined;
  readonly epoch: number;
}

/** One message of a Publish call. */
export interface PublishBatch {
  /** Zero records only in the message that opens the call. */
  readonly batch: RecordBatch;
  readonly expectedOffset: number | undefined;
}

export interface ReadCommand {
  readonly topic: string;
  /** Undefined: `earliest` forward, `latest` backward. */
  readonly start: Start | undefined;
  readonly direction: Direction;
  readonly until: Until;
  /** 0: no limit. With a filter it counts those that match. */
  readonly limit: number;
  readonly whenTrimmed: WhenTrimmed;
  /** Only records that match. */
  readonly filter: Filter | undefined;
}

export interface FollowCommand {
  readonly topic: string;
  /** Undefined: `latest`. */
  readonly start: Start | undefined;
  readonly whenBehind: WhenBehind;
  readonly whenTrimmed: WhenTrimmed;
  /** Only records that match. */
  readonly filter: Filter | undefined;
}

/** A page on its way to a reader. A door makes its message of the frames, and decodes none; they are never written to. */
export interface PageMessage {
  readonly kind: "page";
  /** Whole frames in the order of reading. None: nothing of what was looked at is for this reader. */
  readonly runs: readonly Uint8Array[];
  /** Of a single run, as in `Page`: room around it for this position, and nothing else. Unset: there is none. */
  readonly hasRoom?: boolean;
  /** A buffer of the engine's pool, for its door to give back when the page has gone. */
  readonly lent?: Buffer | undefined;
  readonly records: number;
  readonly next: Position;
  /** Readers at the same place get this very object: what a door makes of it serves them all. */
  readonly isShared?: boolean;
}

/** A page of a listing. */
export interface ListPage extends PageMessage {
  /** All keys up to this one were looked at. Undefined: there are no more. */
  readonly lastKey: string | undefined;
}

/** A page of a watch. */
export interface WatchPage extends PageMessage {
  /** Keys that are not wanted any more. */
  readonly left: readonly string[];
}

/** A run of offsets that the reader does not get. */
export interface SkippedMessage {
  readonly kind: "skipped";
  readonly reason: "trimmed" | "behind";
  readonly firstOffset: number;
  readonly nextOffset: number;
  readonly next: Position;
}

export type ReadMessage = PageMessage | SkippedMessage;

export type FollowMessage =
  | PageMessage
  | SkippedMessage
  | {
      readonly kind: "started";
      readonly earliestOffset: number;
      readonly nextOffset: number;
      readonly next: Position;
    }
  | { readonly kind: "caught-up"; readonly next: Position }
  | { readonly kind: "fell-behind"; readonly lag: number; readonly next: Position }
  | {
      readonly kind: "heartbeat";
      readonly nextOffset: number;
      readonly waiting: "new-records" | "database";
      readonly next: Position;
    }
  | { readonly kind: "closed"; readonly next: Position };

export interface GetStateCommand {
  readonly topic: string;
  /** At least one. */
  readonly keys: readonly string[];
}

export interface ListStateCommand {
  readonly topic: string;
  /** Only keys that begin with this. */
  readonly keyPrefix: string;
  /** Only records inside. */
  readonly rectangle: Rectangle | undefined;
  /** Only records that match. */
  readonly filter: Filter | undefined;
  /** Only keys above this one; empty: from the first. */
  readonly afterKey: string;
  /** 0: no limit. */
  readonly limit: number;
}

export interface WatchStateCommand {
  readonly topic: string;
  readonly keyPrefix: string;
  /** Only records inside. */
  readonly rectangle: Rectangle | undefined;
  /** Only records that match. */
  readonly filter: Filter | undefined;
  /** Undefined: the whole state first. */
  readonly start: Position | undefined;
  /** Without the state as it stands. Never with `start`. */
  readonly changesOnly: boolean;
  /** Without what was removed, and what is not wanted any more. */
  readonly withoutTombstones: boolean;
}

export type WatchMessage =
  | WatchPage
  | { readonly kind: "snapshot-end"; readonly next: Position }
  /** What was removed is not known any more: all that was given before is to be forgotten, and the whole state follows. */
  | { readonly kind: "reset"; readonly next: Position }
  | { readonly kind: "heartbeat"; readonly next: Position }
  | { readonly kind: "closed"; readonly next: Position };

/** The calls that take filters. */
export type FilteredMethod = "read" | "follow" | "list" | "watch";

export interface ExplainFilterCommand {
  readonly topic: string;
  readonly filter: Filter;
  readonly method: FilteredMethod;
  /** As listings and watches are asked. */
  readonly rectangle: Rectangle | undefined;
  readonly keyPrefix: string;
}

/** One of the conditions that a filter is a conjunction of, and who decides it. */
export interface FilterPart {
  readonly expression: string;
  readonly place: "database" | "database-then-node" | "node";
  readonly reason: string;
}

export interface FilterExplanation {
  readonly parts: readonly FilterPart[];
  /** That find the rows. */
  readonly indexes: readonly string[];
  /** The database's own, of the page query. */
  readonly plan: string;
  /** Steps of one evaluation, at most. */
  readonly cost: number;
}

/** How full a queue or buffer of the node is. */
export interface Queue {
  /**
   * What it holds: `lane`, statements that wait for a connection; `publish`, bytes of batches that wait for their commit;
   * `tail`, bytes of the newest records.
   */
  readonly kind: "lane" | "publish" | "tail";
  /** The lane's, or the topic's. */
  readonly name: string;
  readonly depth: number;
  readonly capacity: number;
}

export interface Engine extends SubscriptionEngine {
  /** Buffers that pages stand in, and that requests' records are framed in. */
  readonly buffers: BufferPool;
  readonly topics: Topics;
  /**
   * Appends one batch and resolves when it is durable. Errors: `topic-not-found`, `topic-limit`, `topic-closed`,
   * `epoch-mismatch`, `offset-mismatch`, `producer-gap`, `producer-fenced`, `publish-budget-exceeded` after a second,
   * `database-unavailable` (the outcome may be unknown).
   */
  append(command: AppendCommand, signal?: AbortSignal): Promise<Appended>;
  /**
   * Appends batches, pipelined; yields their acknowledgements in order. Takes the next batch from `batches` only while
   * there is room in the budget. Ends when `batches` has ended and all is acknowledged, or throws the first refusal.
   */
  publish(
    opening: PublishOpening,
    batches: AsyncIterator<PublishBatch>,
    stream: LiveStream,
    signal: AbortSignal,
  ): AsyncGenerator<Appended, void, undefined>;
  /** Reads what is there, and ends. The generator is resumed when the last message was delivered. */
  read(command: ReadCommand, stream: LiveStream, signal: AbortSignal): AsyncGenerator<ReadMessage, void, undefined>;
  /** Reads on for ever; returns after `closed`. The generator is resumed when the last message was delivered. */
  follow(
    command: FollowCommand,
    stream: LiveStream,
    signal: AbortSignal,
  ): AsyncGenerator<FollowMessage, void, undefined>;
  /** How full the node's queues are; with a topic, those of it. */
  listQueues(topic: string | undefined): readonly Queue[];
  /** The latest records of some keys. Errors of this and the next two: `topic-not-found`, `topic-not-keyed`. */
  getState(command: GetStateCommand, signal: AbortSignal): Promise<PageMessage>;
  /** The state in the order of keys, and ends. The generator is resumed when the last page was delivered. */
  listState(
    command: ListStateCommand,
    stream: LiveStream,
    signal: AbortSignal,
  ): AsyncGenerator<ListPage, void, undefined>;
  /**
   * The state in the order of its changes, and on for ever; returns after `closed`. The generator is resumed when the
   * last message was delivered. Errors also: `epoch-mismatch`, `offset-out-of-range`.
   */
  watchState(
    command: WatchStateCommand,
    stream: LiveStream,
    signal: AbortSignal,
  ): AsyncGenerator<WatchMessage, void, undefined>;
  /** How a filter would be run. Errors: `topic-not-found`; those of a state where the method reads one. */
  explainFilter(command: ExplainFilterCommand, signal: AbortSignal): Promise<FilterExplanation>;
  /** Stops background work and waits for it; commits under way finish. Readers are ended by their signals. */
  close(): Promise<void>;
}
