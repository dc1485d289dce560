/**
 * What the engine needs of a database to serve subscriptions, and what it may rely on.
 *
 * - **Claims.** What a subscription has yet to settle of its topic is divided into claims: sets of offsets (`todo`), each
 *   held by at most one session. Offsets that no claim has are settled. A SHARED subscription has one claim of all that
 *   nobody has taken yet (`rest`), off which blocks are cut; an EXCLUSIVE one has one, a KEYED one has `keySlots`, each of
 *   the whole topic, for the keys that fall into its slot. Redriven records are claims of their own.
 * - **Sessions.** A node's hold. It has to be renewed; one that expired may be ended by anybody (`endExpiredSessions`), for
 *   good: the row goes, and its node begins another. A claim is free while it has no session, or one whose row is gone.
 *   So a claim changes hands only after its holder gave it up, or could have known by its own clock that it was over.
 * - **Fencing.** Every change of a claim asks for the session that holds it, under the claim's row lock. A holder that was
 *   late finds its claim `lost`, and nothing is written.
 * - **Attempts.** A record that was handed out and is to be redelivered is noted in `retries` first. So what somebody
 *   else settled meanwhile (a Commit on another node) is found then, under the same lock, and never delivered again.
 * - **Locks** are taken in this order: subscription, claims by id, then heads of topics by id.
 */

import type { DeliveryPolicy, OffsetRange, Sharing } from "../core/index.js";
import type { AppendWrite, Head, LockedView } from "./topic-store.js";

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

/** `rest`: what nobody has taken yet. `block`: a part of it. `slot`: a share of the keys, or the whole. */
export type ClaimKind = "rest" | "block" | "slot" | "redriven";

export interface StoredClaim {
  readonly claimId: number;
  readonly kind: ClaimKind;
  /** Of a KEYED subscription's keys; else 0. */
  readonly slot: number;
  /** What is not settled. The last range may have no end: Infinity. */
  readonly todo: readonly OffsetRange[];
}

/** A block as it was cut. */
export interface CutBlock extends StoredClaim {
  /** Set: offsets from here up to the block are no longer kept, and left the rest with it. */
  readonly skippedFrom?: number;
}

/** A claim without what it is about. */
export interface ClaimHolder {
  readonly claimId: number;
  readonly kind: ClaimKind;
  readonly slot: number;
  /** Undefined: it is free. */
  readonly session: number | undefined;
}

/** Records of a claim that were handed out and are to be redelivered, and that wait alike. */
export interface Retry {
  readonly claimId: number;
  /** They may be more than the claim has. */
  readonly ranges: readonly OffsetRange[];
  /** How many attempts are over; 0: it was given back before it counted as one. */
  readonly deliveries: number;
  /** How many of those count as failures. */
  readonly failures: number;
  /** What is left of their delay by the database's clock: a node's own may be set while they wait. 0: they are due. */
  readonly delayMs: number;
  /** The lanes of their keys, by offset. One that is missing has none. */
  readonly lanes: ReadonlyMap<number, number>;
}

/** Neighbouring records that are to be handed out again, and what is noted of each of them. */
export interface RetryWrite extends OffsetRange, Pick<Retry, "claimId" | "deliveries" | "failures"> {
  /** From the statement's time on. */
  readonly delayMs: number;
  /** The lane of their key; undefined: they have none. */
  readonly lane: number | undefined;
  /** Added to its reasons. Undefined: it did not fail. */
  readonly reason: string | undefined;
}

/** A record to set aside: its frame is copied from the topic, or from where it was redriven. */
export interface ParkWrite {
  readonly claimId: number;
  readonly offset: number;
  readonly deliveries: number;
  /** The slot of its key, for when it is redriven. */
  readonly slot: number;
  /** The lane of its key, for then too. */
  readonly lane: number | undefined;
  readonly reason: string;
}

/** What became of records, all in one transaction. Claims that are lost are left out, and told. */
export interface SettleWrite {
  readonly subscriptionId: number;
  readonly session: number;
  /** Taken out of what the claims have yet to settle. */
  readonly settled: readonly ClaimRanges[];
  /**
   * Whether that is brought into the claims' rows, with all of before: every so often, and where nothing of a claim is
   * left, so that it is deleted. Else it is only noted beside them, which costs less.
   */
  readonly folds: boolean;
  /** Of those, what is noted in `retries`: it is forgotten. */
  readonly settledRetries: readonly ClaimRanges[];
  /** Each offset once. */
  readonly retries: readonly RetryWrite[];
  readonly parked: readonly ParkWrite[];
}

/** Offsets of a claim. */
export interface ClaimRanges {
  readonly claimId: number;
  readonly ranges: readonly OffsetRange[];
}

export interface SettleOutcome {
  /** Not this session's any more: nothing of what was to be written of these was. */
  readonly lostClaims: readonly number[];
  /** Of `retries` and `parked`: not in their claim's `todo` any more; somebody else settled them. Ascending and apart. */
  readonly settledElsewhere: readonly OffsetRange[];
  /** Of `parked`: neither the topic nor a redrive has the record any more. They are taken out of `todo`. */
  readonly gone: readonly number[];
}

/** A record to be handed out again, as it stands. */
export interface RetryFrame {
  readonly offset: number;
  readonly frame: Uint8Array;
}

/** Somebody who consumes a subscription: a node with its consumers. */
export interface Member {
  readonly session: number;
  readonly consumers: number;
  /** What Describe tells of them, as JSON. */
  readonly facts: string;
}

/** All that nodes have to know of each other, from one snapshot. */
export interface SubscriptionSync {
  readonly subscription: StoredSubscription;
  readonly members: readonly Member[];
  /** All claims but blocks that others hold; at most 1000. */
  readonly claims: readonly ClaimHolder[];
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
  /** At most so many bytes of frames, but always one record. */
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

/** What a Commit acknowledges. */
export interface CommitClaim {
  readonly subscriptionId: number;
  readonly session: number;
  /** Each offset with the slot of its key (0 but in KEYED ones) and its attempt, as the consumer was told; 0: any. */
  readonly records: readonly { readonly offset: number; readonly slot: number; readonly attempt: number }[];
}

/** Neighbouring records at the same attempt. */
export interface SettledRange extends OffsetRange {
  readonly attempt: number;
}

/** What a Commit settled, for the node that delivered it. */
export interface SettledNotice {
  readonly subscriptionId: number;
  /** By which it was delivered. */
  readonly session: number;
  /** Undefined: too many to tell. `findSettled` finds them. */
  readonly records: readonly SettledRange[] | undefined;
}

export interface ListenSettledHandlers {
  readonly onNotice: (notice: SettledNotice) => void;
  /** After each connect, the first one too: notices of before were missed. */
  readonly onGap: () => void;
}

/** A topic that a Commit appends to. */
export interface CommitTopic {
  readonly topicId: number;
  /** As of `Store.appendLocked`: chooses under the head's lock. What it throws rolls everything back, and is thrown. */
  readonly decide: (view: LockedView) => AppendWrite;
}

export type CommitOutcome =
  | { readonly kind: "committed" }
  /** These are not that session's, were handed out again since, or are settled. Nothing was written. */
  | { readonly kind: "stale"; readonly offsets: readonly number[] }
  | { readonly kind: "topic-gone"; readonly topicId: number };

export interface SubscriptionStore {
  /** `no-topic`: it is gone, or has another epoch. */
  createSubscription(subscription: NewSubscription): Promise<StoredSubscription | "exists" | "no-topic">;
  findSubscription(name: string): Promise<StoredSubscription | undefined>;
  listSubscriptions(request: SubscriptionListRequest): Promise<readonly StoredSubscription[]>;
  /** Undefined, here and below: there is no such subscription (any more). */
  updateSubscription(subscriptionId: number, change: SubscriptionChange): Promise<StoredSubscription | undefined>;
  /** With its claims, retries and parked records. False: it was gone. */
  deleteSubscription(subscriptionId: number): Promise<boolean>;
  /**
   * Replaces all claims by new, free ones from `offset` on; forgets retries; raises `generation` and `attemptsBefore`. Takes
   * over the epoch.
   */
  seekSubscription(subscriptionId: number, epoch: number, offset: number): Promise<StoredSubscription | undefined>;
  /** Raises `ticket`, and gives it. */
  takeTicket(subscriptionId: number): Promise<number | undefined>;
  readProgress(subscriptionId: number): Promise<SubscriptionProgress | undefined>;

  openSession(session: number, node: string, leaseMs: number): Promise<void>;
  /** False: it was ended. */
  renewSession(session: number, leaseMs: number): Promise<boolean>;
  /** Frees its claims, leaves its subscriptions, and ends it. */
  closeSession(session: number): Promise<void>;
  /** Ends those that expired. Returns how many. */
  endExpiredSessions(): Promise<number>;

  /** Says who consumes on this session, and reads what others say. */
  syncSubscription(subscriptionId: number, member: Member): Promise<SubscriptionSync | undefined>;
  /** No consumer is left on this session: it gives back all of the subscription's claims that are its own. */
  leaveSubscription(subscriptionId: number, session: number): Promise<void>;

  /**
   * Takes free claims: those with these ids, at most `count`. Only while the session is there and the subscription has
   * this generation. Returns what it got.
   */
  takeClaims(
    subscriptionId: number,
    session: number,
    generation: number,
    claimIds: readonly number[],
  ): Promise<readonly StoredClaim[]>;
  /**
   * Cuts a block of at most `count` offsets off the rest, below `untilOffset`, and takes it. What lies below `fromOffset`
   * is no longer kept: it leaves the rest. Undefined: nothing is left there.
   */
  claimBlock(request: {
    readonly subscriptionId: number;
    readonly session: number;
    readonly generation: number;
    readonly count: number;
    readonly fromOffset: number;
    readonly untilOffset: number;
  }): Promise<CutBlock | undefined>;
  /** Gives back what a block has from an offset on, of which nothing was handed out: others may have that. */
  splitClaim(subscriptionId: number, session: number, claimId: number, offset: number): Promise<void>;
  /** Gives claims back as they are. */
  releaseClaims(subscriptionId: number, session: number, claimIds: readonly number[]): Promise<void>;

  /** The hot path: one statement, but where something is parked. A claim whose `todo` is empty is deleted. */
  settle(write: SettleWrite): Promise<SettleOutcome>;
  /**
   * What waits in these claims, most deliveries first: of one that is found twice the first counts. It may be more than the
   * claims have.
   */
  readRetries(subscriptionId: number, claimIds: readonly number[]): Promise<readonly Retry[]>;
  /** Records to be handed out again: from where they were redriven, or else from the topic; those that are gone are missing. */
  readRetryFrames(subscriptionId: number, offsets: readonly number[]): Promise<readonly RetryFrame[]>;

  /** By offset. */
  listParked(request: ParkedRequest): Promise<readonly StoredParked[]>;
  /** Returns how many there were. */
  discardParked(subscriptionId: number, offsets: readonly number[]): Promise<number>;
  /**
   * Moves parked records to `retries`, without failures, in free claims of kind `redriven`, one a slot. One that a claim has
   * anyway (somebody sought back to it) stays parked: no offset is in two claims. Returns how many were moved.
   */
  redriveParked(write: RedriveWrite): Promise<number>;

  /** Settles records of one subscription and appends to topics, in one transaction. */
  commit(claim: CommitClaim, topics: readonly CommitTopic[]): Promise<CommitOutcome>;
  /** Tells all nodes that listen what a Commit settled. It may get lost. */
  announceSettled(notice: SettledNotice): Promise<void>;
  /**
   * Hears what other nodes announce, on a connection of its own that is connected again whenever it is lost. Resolves when
   * `signal` aborts or the store is closed; an embedded database, which has one node, resolves at once. Never throws.
   */
  listenSettled(handlers: ListenSettledHandlers, signal: AbortSignal): Promise<void>;
  /** Of each asked claim the ranges that are not in it any more, or all if it is not this session's; none are left out. */
  findSettled(subscriptionId: number, session: number, asked: readonly ClaimRanges[]): Promise<readonly ClaimRanges[]>;
}
