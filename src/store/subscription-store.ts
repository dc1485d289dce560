/** Subscriptions: their names and settings, how far they are, and the records that were parked. */

import type { DeliveryPolicy, Sharing } from "../core/index.js";
import type { Head } from "./topic-store.js";

export interface StoredSubscription {
  readonly subscriptionId: number;
  readonly name: string;
  readonly topicId: number;
  /** The topic's name. */
  readonly topic: string;
  /** The topic's incarnation in which the cursor stands. */
  readonly epoch: number;
  readonly sharing: Sharing;
  readonly policy: DeliveryPolicy;
  readonly labels: ReadonlyMap<string, string>;
  readonly isPaused: boolean;
  /** Raised by every seek: all claims are new after it. */
  readonly generation: number;
  /** The newest consumer of an EXCLUSIVE subscription: only who has this ticket may hold its claim. */
  readonly ticket: number;
  /**
   * Added to every attempt: a record's is `attemptsBefore + deliveries + 1`. Raised by every seek, so that no attempt of
   * before it is used again, and what is said with one is stale.
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

/** Somebody who consumes a subscription: a node with its consumers. */
export interface Member {
  readonly session: number;
  readonly consumers: number;
  /** What Describe tells of them, as JSON. */
  readonly facts: string;
}

/** How far a subscription is, from one snapshot. */
export interface SubscriptionProgress {
  readonly subscription: StoredSubscription;
  readonly head: Head;
  /** The next record that can be delivered: everything below is settled or trimmed. At most the head's `nextOffset`. */
  readonly cursor: number;
  /** Offsets from the cursor to the head that no claim has settled: what will be delivered. Of KEYED ones an upper bound: slots settle what is not theirs as they read on. */
  readonly unsettled: number;
  /** The running total of frame bytes below the cursor; the head's `nextBytes` at the end. */
  readonly cursorBytes: number;
  /** The record at the cursor; undefined at the end. */
  readonly cursorFrame: Uint8Array | undefined;
  readonly retries: number;
  readonly parked: number;
  readonly members: readonly Member[];
  /** `nowMicros` of the snapshot. */
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

/** Parked records that are to be delivered again. */
export interface RedriveWrite {
  readonly subscriptionId: number;
  readonly offsets: readonly number[];
  /** The first one's time, from the statement's on, and the distance between two. */
  readonly delayMs: number;
  readonly stepMicros: number;
}

/** Where a subscription is to deliver from. */
export interface SeekRequest {
  readonly subscriptionId: number;
  /** Of the topic: the subscription takes it over. */
  readonly epoch: number;
  readonly offset: number;
}

export interface SubscriptionStore {
  /** `no-topic`: it is gone, or has another epoch. */
  createSubscription(subscription: NewSubscription): Promise<StoredSubscription | "exists" | "no-topic">;
  findSubscription(name: string): Promise<StoredSubscription | undefined>;
  listSubscriptions(request: SubscriptionListRequest): Promise<readonly StoredSubscription[]>;
  updateSubscription(subscriptionId: number, change: SubscriptionChange): Promise<StoredSubscription | undefined>;
  /** With its claims, retries and parked records. */
  deleteSubscription(subscriptionId: number): Promise<boolean>;
  /** Replaces all claims by new, free ones from an offset on; forgets retries; raises `generation` and `attemptsBefore`. */
  seekSubscription(request: SeekRequest): Promise<StoredSubscription | undefined>;
  /** Raises `ticket`, and returns it. */
  takeTicket(subscriptionId: number): Promise<number | undefined>;
  readProgress(subscriptionId: number): Promise<SubscriptionProgress | undefined>;

  /** By offset. */
  listParked(request: ParkedRequest): Promise<readonly StoredParked[]>;
  /** Returns how many there were. */
  discardParked(subscriptionId: number, offsets: readonly number[]): Promise<number>;
  /**
   * Moves parked records to `retries`, without failures, in free claims of kind `redriven`, one a slot. One that a claim has
   * anyway (somebody sought back to it) stays parked: no offset is in two claims. Returns how many were moved.
   */
  redriveParked(write: RedriveWrite): Promise<number>;
}
