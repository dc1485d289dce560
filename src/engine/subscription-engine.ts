/** What the engine offers to those who consume by subscriptions. */

import type { DeliveryPolicy, OffsetRange, Position, Sharing, Start, Window } from "../core/index.js";
import type { Filter } from "../filter/index.js";
import type { StoredParked, StoredSubscription } from "../store/index.js";
import type { LiveStream } from "../telemetry/index.js";
import type { RecordBatch } from "../wire/index.js";

export interface CreateSubscriptionCommand {
  readonly name: string;
  readonly topic: string;
  /** Undefined: `latest`. */
  readonly start: Start | undefined;
  readonly sharing: Sharing;
  /** What is absent is the default. Held against `deliveryBounds` here. */
  readonly policy: Partial<DeliveryPolicy>;
  readonly labels: ReadonlyMap<string, string>;
}

/** What an update changes: what is absent stays. */
export interface SubscriptionUpdate {
  readonly policy?: Partial<DeliveryPolicy>;
  readonly labels?: ReadonlyMap<string, string>;
}

/** Which parked records: all of them, or those in some ranges, and of those that match. */
export interface ParkedSelection {
  readonly subscription: string;
  /** Empty: all. */
  readonly offsets: readonly OffsetRange[];
  readonly filter: Filter | undefined;
}

/** Why nothing is delivered to a consumer. */
export type ConsumerWaiting =
  | "nothing"
  | "caught-up"
  | "window-full-records"
  | "window-full-bytes"
  | "paused"
  | "retry-backlog-full"
  | "keys-busy"
  | "other-consumers"
  | "database"
  | "retry-delay"
  /** Never in a heartbeat. */
  | "transport-blocked"
  | "node-budget";

/** One Consume call, as DescribeSubscription tells it, also to other nodes: all of it goes through JSON. */
export interface ConsumerFacts {
  readonly name: string;
  readonly peer: string;
  readonly node: string;
  readonly window: Window;
  readonly outstandingRecords: number;
  readonly outstandingBytes: number;
  readonly startTimeMs: number;
  /** 0: never. */
  readonly lastAcknowledgementMs: number;
  readonly waiting: ConsumerWaiting;
}

/** How far a subscription is. */
export interface SubscriptionReport {
  readonly subscription: StoredSubscription;
  readonly cursor: Position;
  readonly lagRecords: number;
  readonly lagBytes: number;
  /** Undefined at the end. */
  readonly lagAgeMs: number | undefined;
  readonly outstandingRecords: number;
  readonly retryRecords: number;
  readonly parkedRecords: number;
  readonly consumers: readonly ConsumerFacts[];
}

/** Subscriptions, from their creation to their deletion. Names are checked here (`invalid-argument`). */
export interface Subscriptions {
  /** Errors: `topic-not-found`, `subscription-exists`, `epoch-mismatch`, `offset-out-of-range`. */
  create(command: CreateSubscriptionCommand): Promise<StoredSubscription>;
  /** Errors of this and the rest: `subscription-not-found`. */
  get(name: string): Promise<StoredSubscription>;
  /** By name; `after` is exclusive; `topic` empty: of all. At most `count`, and whether there are more. */
  list(request: {
    readonly prefix: string;
    readonly topic: string;
    readonly after: string;
    readonly count: number;
  }): Promise<{ readonly subscriptions: readonly StoredSubscription[]; readonly hasMore: boolean }>;
  update(name: string, change: SubscriptionUpdate): Promise<StoredSubscription>;
  delete(name: string): Promise<void>;
  setPaused(name: string, isPaused: boolean): Promise<StoredSubscription>;
  /** Errors: `epoch-mismatch`; `offset-out-of-range` above the next offset. */
  seek(name: string, start: Start): Promise<{ readonly subscription: StoredSubscription; readonly cursor: Position }>;
  /** A report at once, and then one every `intervalMs`; `limit` 0: for ever. */
  describe(
    command: { readonly name: string; readonly intervalMs: number; readonly limit: number },
    stream: LiveStream,
    signal: AbortSignal,
  ): AsyncGenerator<SubscriptionReport, void, undefined>;
  /** From offset `from` on, by offset; at most `count` that match. `next` undefined: there is no more. */
  listParked(request: {
    readonly subscription: string;
    readonly filter: Filter | undefined;
    readonly from: number;
    readonly count: number;
  }): Promise<{ readonly records: readonly StoredParked[]; readonly next: number | undefined }>;
  /** Errors: `parked-not-found`. */
  getParked(name: string, offset: number): Promise<StoredParked>;
  /** `ratePerSecond` 0: all at once. Gives how many. */
  redriveParked(selection: ParkedSelection, ratePerSecond: number, signal: AbortSignal): Promise<number>;
  discardParked(selection: ParkedSelection, signal: AbortSignal): Promise<number>;
}

/** What opens a Consume call. */
export type ConsumeOpening = { readonly consumer: string; readonly window: Window } & (
  | { readonly kind: "subscription"; readonly subscription: string }
  /** Keeps nothing. `start` undefined: `latest`. */
  | { readonly kind: "ephemeral"; readonly topic: string; readonly start: Start | undefined }
);

/** A run of records as they were delivered. */
export interface DeliveredRange {
  /** Not empty; it may reach beyond what there is. */
  readonly range: OffsetRange;
  /** The attempt that is meant; 0: any. What was delivered by another attempt is `stale`. */
  readonly attempt: number;
}

/** What a consumer says after its opening. */
export interface ConsumerRequest {
  readonly window: Window | undefined;
  readonly acknowledge: readonly DeliveredRange[];
  /** All that was sent so far up to and with this offset. */
  readonly acknowledgeThrough: number | undefined;
  /** `delayMs` undefined: as the subscription backs off. */
  readonly reject: readonly (DeliveredRange & { readonly delayMs: number | undefined; readonly reason: string })[];
  /** `byMs` undefined: the subscription's deadline. */
  readonly extend: readonly (DeliveredRange & { readonly byMs: number | undefined })[];
  readonly park: readonly (DeliveredRange & { readonly reason: string })[];
  readonly release: readonly DeliveredRange[];
}

/** What is settled of what a consumer said. */
export interface Confirmed {
  readonly acknowledged: readonly OffsetRange[];
  readonly rejected: readonly OffsetRange[];
  readonly parked: readonly OffsetRange[];
  readonly extended: readonly OffsetRange[];
  readonly released: readonly OffsetRange[];
  /** What it does not have, by the attempt that a verdict named, or that was taken off it unasked. */
  readonly stale: readonly DeliveredRange[];
}

export type ConsumeEvent =
  | {
      readonly kind: "started";
      /** 0: ephemeral. */
      readonly session: number;
      readonly cursor: Position;
      readonly window: Window;
      readonly ackDeadlineMs: number;
      readonly sharing: Sharing;
    }
  | { readonly kind: "window-changed"; readonly window: Window }
  | {
      readonly kind: "heartbeat";
      readonly waiting: ConsumerWaiting;
      readonly outstandingRecords: number;
      readonly outstandingBytes: number;
      readonly window: Window;
      readonly cursor: Position;
      readonly nextOffset: number;
      readonly retryRecords: number;
    }
  | { readonly kind: "skipped"; readonly firstOffset: number; readonly nextOffset: number }
  | { readonly kind: "closed" };

/** One message to a consumer. The generator is resumed when the transport took it: then the deadlines begin. */
export interface ConsumeMessage {
  /** Frames; neighbours are one run. Views of shared pages: never written to. */
  readonly runs: readonly Uint8Array[];
  readonly records: number;
  /** 0 without records. */
  readonly attempt: number;
  readonly confirmed: Confirmed | undefined;
  readonly event: ConsumeEvent | undefined;
}

export interface CommitCommand {
  /** As AppendCommand has it. */
  readonly peer?: string;
  readonly subscription: string;
  readonly session: number;
  /** Attempts count from 1. */
  readonly acknowledge: readonly { readonly range: OffsetRange; readonly attempt: number }[];
  readonly append: readonly {
    readonly topic: string;
    /** At least one record. */
    readonly batch: RecordBatch;
    readonly expectedOffset: number | undefined;
    /** 0: unchecked. */
    readonly epoch: number;
  }[];
}

/** Where an output of a Commit went. */
export interface CommittedOutput {
  readonly topic: string;
  readonly epoch: number;
  readonly firstOffset: number;
  readonly nextOffset: number;
}

/** Consuming; a part of `Engine`. */
export interface SubscriptionEngine {
  readonly subscriptions: Subscriptions;
  /**
   * Delivers records and takes what becomes of them; `requests` are taken as they come. Returns after `closed`, or when
   * the requests have ended. Errors: `subscription-not-found`, `topic-not-found`, `topic-deleted`, `consumer-fenced`,
   * `consumer-limit`, `epoch-mismatch`, `offset-out-of-range`, `data-loss`.
   */
  consume(
    opening: ConsumeOpening,
    requests: AsyncIterator<ConsumerRequest, undefined>,
    stream: LiveStream,
    signal: AbortSignal,
  ): AsyncGenerator<ConsumeMessage, void, undefined>;
  /**
   * Acknowledges and appends in one transaction. Errors: `subscription-not-found`, `stale-delivery`, and those of `append`.
   */
  commit(command: CommitCommand, signal?: AbortSignal): Promise<readonly CommittedOutput[]>;
}
