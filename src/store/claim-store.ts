/**
 * What subscriptions have yet to settle, who holds it, and how it is settled.
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

import type { OffsetRange } from "../core/index.js";
import type { AppendWrite, LockedView, OffsetFrame } from "./log-store.js";
import type { Member, StoredSubscription } from "./subscription-store.js";

/** A session, at one subscription. */
export interface SubscriptionHolder {
  readonly subscriptionId: number;
  readonly session: number;
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
  /** Its lowest offset that is not settled. */
  readonly firstOffset: number;
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
  /** The rest of their delay by the database's clock: a node's own may be set while they wait. 0: they are due. */
  readonly delayMs: number;
  /** The lanes of their keys, by offset. One that is missing has none. */
  readonly lanes: ReadonlyMap<number, number>;
}

/** Neighbouring records that are to be redelivered, and what is noted of each of them. */
export interface RetryWrite extends OffsetRange, Pick<Retry, "claimId" | "deliveries" | "failures"> {
  /** From the statement's time on. */
  readonly delayMs: number;
  /** The lane of their key; undefined: they have none. */
  readonly lane: number | undefined;
  /** Added to its reasons. Undefined: it did not fail. */
  readonly reason: string | undefined;
}

/**
 * A record to set aside: its frame is copied from the topic, or from where it was redriven. One that neither has any more
 * is settled.
 */
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

/** What became of records, all in one transaction. Claims that are lost are left out, and reported. */
export interface SettleWrite extends SubscriptionHolder {
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
}

/** All that nodes have to know of each other, from one snapshot. */
export interface SubscriptionSync {
  readonly subscription: StoredSubscription;
  readonly members: readonly Member[];
  /** All claims but blocks that others hold; at most 1000. */
  readonly claims: readonly ClaimHolder[];
}

/** Which claims are to be taken: only free ones, and only while the subscription has this generation. */
export interface TakeRequest extends SubscriptionHolder {
  readonly generation: number;
  readonly claimIds: readonly number[];
}

/** Which block is to be cut off the rest: only while the subscription has this generation. */
export interface CutRequest extends SubscriptionHolder {
  readonly generation: number;
  /** How many offsets it has at most. */
  readonly count: number;
  /** What lies below is no longer kept: it leaves the rest. */
  readonly fromOffset: number;
  readonly untilOffset: number;
}

/** What a block has from `offset` on. */
export interface SplitRequest extends SubscriptionHolder {
  readonly claimId: number;
  readonly offset: number;
}

export interface ReleaseRequest extends SubscriptionHolder {
  readonly claimIds: readonly number[];
}

/** Offsets that a session delivered. */
export interface DeliveredRanges extends SubscriptionHolder {
  readonly claims: readonly ClaimRanges[];
}

export interface NewSession {
  readonly session: number;
  readonly node: string;
  readonly leaseMs: number;
}

/** What a Commit acknowledges. */
export interface CommitClaim extends SubscriptionHolder {
  /** Each offset with the slot of its key (0 but in KEYED ones) and its attempt, as the consumer was told; 0: any. */
  readonly records: readonly { readonly offset: number; readonly slot: number; readonly attempt: number }[];
}

/** Neighbouring records at the same attempt. */
export interface SettledRange extends OffsetRange {
  readonly attempt: number;
}

/** What a Commit settled, for the node that delivered it: on its session. */
export interface SettledNotice extends SubscriptionHolder {
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
  /** As in `LockedAppend`. */
  readonly decide: (view: LockedView) => AppendWrite;
}

export interface CommitWrite extends CommitClaim {
  readonly topics: readonly CommitTopic[];
}

export type CommitOutcome =
  | { readonly kind: "committed" }
  /** These are not that session's, were handed out again since, or are settled. Nothing was written. */
  | { readonly kind: "stale"; readonly offsets: readonly number[] }
  | { readonly kind: "topic-gone"; readonly topicId: number };

export interface ClaimStore {
  openSession(session: NewSession): Promise<void>;
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

  /** Takes claims while the session is there. Returns those that it got. */
  takeClaims(request: TakeRequest): Promise<readonly StoredClaim[]>;
  /** Cuts a block off the rest, and takes it. Undefined: nothing is left there. */
  claimBlock(request: CutRequest): Promise<CutBlock | undefined>;
  /** Gives back what a block has from an offset on, of which nothing was handed out: others may have that. */
  splitClaim(request: SplitRequest): Promise<void>;
  /** Gives claims back as they are. */
  releaseClaims(request: ReleaseRequest): Promise<void>;

  /** The hot path: one statement, but where something is parked. A claim whose `todo` is empty is deleted. */
  settle(write: SettleWrite): Promise<SettleOutcome>;
  /**
   * What waits in these claims, most deliveries first: of one that is found twice the first counts. It may be more than the
   * claims have.
   */
  readRetries(subscriptionId: number, claimIds: readonly number[]): Promise<readonly Retry[]>;
  /** Records to be redelivered: from where they were redriven, or else from the topic; those that are gone are missing. */
  readRetryFrames(subscriptionId: number, offsets: readonly number[]): Promise<readonly OffsetFrame[]>;

  /** Settles records of one subscription and appends to topics, in one transaction. */
  commit(write: CommitWrite): Promise<CommitOutcome>;
  /** Tells all nodes that listen what a Commit settled. It may get lost. */
  announceSettled(notice: SettledNotice): Promise<void>;
  /**
   * Hears what other nodes announce, on a connection of its own that is connected again whenever it is lost. Resolves when
   * `signal` aborts or the store is closed; where there are no other nodes, at once. Never throws.
   */
  listenSettled(handlers: ListenSettledHandlers, signal: AbortSignal): Promise<void>;
  /**
   * Of each claim the ranges that are not in it any more, or all if it is not this session's. Claims that have all of
   * theirs are left out.
   */
  findSettled(delivered: DeliveredRanges): Promise<readonly ClaimRanges[]>;
}
