/** Subscriptions: names, settings and progress, and parked records. */

import type { DeliveryPolicy, Sharing } from "../core/index.js";
import type { Head } from "./topic-store.js";

export interface StoredSubscription {
  readonly subscriptionId: number;
  readonly name: string;
  readonly topicId: number;
  /** The topic's name. */
  readonly topic: string;
  /** The topic's epoch to which the cursor belongs. */
  readonly epoch: number;
  readonly sharing: Sharing;
  readonly policy: DeliveryPolicy;
  readonly labels: ReadonlyMap<string, string>;
  readonly isPaused: boolean;
  /** Raised by every seek, which replaces all claims. */
  readonly generation: number;
  /** The newest consumer of an EXCLUSIVE subscription has this ticket. Only that consumer may hold the claim. */
  readonly ticket: number;
  /**
   * Added to every attempt: a record's attempt is `attemptsBefore + deliveries + 1`. Every seek raises it, so no
   * earlier attempt is used again, and a verdict on an earlier attempt is stale.
   */
  readonly attemptsBefore: number;
  readonly createTimeMicros: number;
}

export interface NewSubscription {
  readonly name: string;
  readonly topicId: number;
  readonly epoch: number;
  readonly sharing: Sharing;
  readonly policy: DeliveryPolicy;
  readonly labels: ReadonlyMap<string, string>;
  /** The first offset that it delivers. */
  readonly fromOffset: number;
}

export interface SubscriptionChange {
  readonly policy?: Partial<DeliveryPolicy>;
  readonly labels?: ReadonlyMap<string, string>;
  readonly isPaused?: boolean;
}

/** A page of names: `after` is exclusive. */
export interface SubscriptionListRequest {
  readonly prefix: string;
  /** Only those of the topic of this name. */
  readonly topic: string | undefined;
  readonly after: string;
  readonly count: number;
}

/** A node that consumes a subscription, with its consumers. */
export interface Member {
  readonly session: number;
  readonly consumers: number;
  /** What Describe reports of them, as JSON. */
  readonly facts: string;
}

/** The progress of a subscription, from one snapshot. */
export interface SubscriptionProgress {
  readonly subscription: StoredSubscription;
  readonly head: Head;
  /** The next record to deliver: all below is settled or trimmed. Not above the head's `nextOffset`. */
  readonly cursor: number;
  /**
   * How many offsets from the cursor to the head no claim has settled: these will be delivered. For a KEYED
   * subscription it is an upper bound: a slot settles records of other slots only when it reads them.
   */
  readonly unsettled: number;
  /** The running total of frame bytes below the cursor. At the end: the head's `nextBytes`. */
  readonly cursorBytes: number;
  /** The record at the cursor. Undefined: the cursor is at the end. */
  readonly cursorFrame: Uint8Array | undefined;
  readonly retries: number;
  readonly parked: number;
  readonly members: readonly Member[];
  /** The database's clock at the snapshot. */
  readonly nowMicros: number;
}

export interface StoredParked {
  readonly offset: number;
  readonly frame: Uint8Array;
  readonly parkedMicros: number;
  readonly deliveries: number;
  readonly reasons: readonly string[];
}

/** A page of parked records: `from` is inclusive. */
export interface ParkedRequest {
  readonly subscriptionId: number;
  readonly from: number;
  readonly until: number;
  readonly count: number;
  /** Up to how many bytes of frames, but always one record. */
  readonly bytes: number;
}

/** Parked records to deliver again. */
export interface RedriveWrite {
  readonly subscriptionId: number;
  readonly offsets: readonly number[];
  /** The first record is due this long after the statement; each further one `stepMicros` later. */
  readonly delayMs: number;
  readonly stepMicros: number;
}

/** The offset from which a subscription is to deliver. */
export interface SeekRequest {
  readonly subscriptionId: number;
  /** The topic's epoch, which becomes the subscription's. */
  readonly epoch: number;
  readonly offset: number;
}

export interface SubscriptionStore {
  /** `no-topic`: the topic is deleted, or has another epoch. */
  createSubscription(subscription: NewSubscription): Promise<StoredSubscription | "exists" | "no-topic">;
  findSubscription(name: string): Promise<StoredSubscription | undefined>;
  listSubscriptions(request: SubscriptionListRequest): Promise<readonly StoredSubscription[]>;
  updateSubscription(subscriptionId: number, change: SubscriptionChange): Promise<StoredSubscription | undefined>;
  /** Deletes it with its claims, retries and parked records. */
  deleteSubscription(subscriptionId: number): Promise<boolean>;
  /**
   * Replaces all claims by new, free ones from an offset on. Deletes retries; raises `generation` and `attemptsBefore`.
   */
  seekSubscription(request: SeekRequest): Promise<StoredSubscription | undefined>;
  /** Raises `ticket`, and returns it. */
  takeTicket(subscriptionId: number): Promise<number | undefined>;
  readProgress(subscriptionId: number): Promise<SubscriptionProgress | undefined>;

  /** By offset. */
  listParked(request: ParkedRequest): Promise<readonly StoredParked[]>;
  /** Returns how many were deleted. */
  discardParked(subscriptionId: number, offsets: readonly number[]): Promise<number>;
  /**
   * Moves parked records to `retries`, without failures, in free claims of kind `redriven`, one for each slot. A record
   * that a claim has already (after a seek back) stays parked: no offset is in two claims. Returns how many were moved.
   */
  redriveParked(write: RedriveWrite): Promise<number>;
}
