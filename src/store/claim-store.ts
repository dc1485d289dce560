/**
 * What subscriptions have yet to settle, which session holds it, and how it is settled.
 *
 * - **Claims.** The unsettled offsets of a subscription are divided into claims: sets of offsets (`todo`), each held by
 *   at most one session. Offsets in no claim are settled. A SHARED subscription has one claim of all offsets that
 *   nobody has taken yet (`rest`), and blocks are cut off it. An EXCLUSIVE one has a single claim. A KEYED one has
 *   `keySlots` claims, each of the whole topic, for the keys of its slot. Redriven records are in claims of their own.
 * - **Sessions.** The lease of a node, which the node must renew. Any node may end an expired session
 *   (`endExpiredSessions`): its row is deleted, and its node begins a new session. A claim is free while it has no
 *   session, or one whose row is deleted. So a claim changes hands only after its holder gave it up, or could know by
 *   its own clock that its lease was over.
 * - **Fencing.** Every change of a claim checks, under the claim's row lock, that the given session holds it. If
 *   another session took it meanwhile, the claim is reported as `lost`, and nothing is written.
 * - **Attempts.** Before a delivered record is redelivered, it is recorded in `retries`, under the claim's lock. That
 *   finds records that were settled elsewhere meanwhile (by a Commit on another node): these are never delivered again.
 * - **Locks** are taken in this order: subscription, claims by id, then heads of topics by id.
 */

import type { OffsetRange } from "../core/index.js";
import type { AppendWrite, LockedView, OffsetFrame } from "./log-store.js";
import type { Member, StoredSubscription } from "./subscription-store.js";

/** A session, for one subscription. */
export interface SubscriptionHolder {
  readonly subscriptionId: number;
  readonly session: number;
}

/** `rest`: what nobody has taken yet. `block`: a part of it. `slot`: the keys of one slot, or the whole topic. */
export type ClaimKind = "rest" | "block" | "slot" | "redriven";

export interface StoredClaim {
  readonly claimId: number;
  readonly kind: ClaimKind;
  /** The slot of a KEYED subscription's claim; else 0. */
  readonly slot: number;
  /** The unsettled offsets. The last range may have no end: Infinity. */
  readonly todo: readonly OffsetRange[];
}

/** A block that was cut off the rest. */
export interface CutBlock extends StoredClaim {
  /** Set: the offsets from here up to the block were trimmed, and left the rest too. */
  readonly skippedFrom?: number;
}

/** A claim and its holder, without its offsets. */
export interface ClaimHolder {
  readonly claimId: number;
  readonly kind: ClaimKind;
  readonly slot: number;
  /** Undefined: the claim is free. */
  readonly session: number | undefined;
  /** Its lowest offset that is not settled. */
  readonly firstOffset: number;
}

/** Delivered records of one claim that are to be redelivered, with the same attempts and delay. */
export interface Retry {
  readonly claimId: number;
  /** May contain offsets that the claim no longer has. */
  readonly ranges: readonly OffsetRange[];
  /** How many attempts are over. 0: the record was returned before it counted as one. */
  readonly deliveries: number;
  /** How many of these attempts failed. */
  readonly failures: number;
  /** The rest of their delay, by the database's clock: a node's own clock may be set meanwhile. 0: they are due. */
  readonly delayMs: number;
  /** The lanes of their keys, by offset. A record without an entry has no key. */
  readonly lanes: ReadonlyMap<number, number>;
}

/** Neighbouring records that are to be redelivered, and what is stored about them. */
export interface RetryWrite extends OffsetRange, Pick<Retry, "claimId" | "deliveries" | "failures"> {
  /** From the time of the statement. */
  readonly delayMs: number;
  /** The lane of their key. Undefined: they have none. */
  readonly lane: number | undefined;
  /** Added to their reasons. Undefined: they did not fail. */
  readonly reason: string | undefined;
}

/**
 * A record to park. Its frame is copied from the topic, or from where it was redriven. If neither has it any more, it
 * is settled.
 */
export interface ParkWrite {
  readonly claimId: number;
  readonly offset: number;
  readonly deliveries: number;
  /** The slot of its key, for a redrive. */
  readonly slot: number;
  /** The lane of its key, for a redrive. */
  readonly lane: number | undefined;
  readonly reason: string;
}

/** The verdicts on records, written in one transaction. Lost claims are left out, and reported. */
export interface SettleWrite extends SubscriptionHolder {
  /** Removed from the claims' `todo`. */
  readonly settled: readonly ClaimRanges[];
  /**
   * Whether to fold these ranges, and all earlier ones, into the claims' rows: from time to time, and when a claim
   * becomes empty and must be deleted. Otherwise they are only inserted as settlements, which costs less.
   */
  readonly folds: boolean;
  /** Those of them with rows in `retries`, which are deleted. */
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
  /** No longer held by this session: nothing was written for these. */
  readonly lostClaims: readonly number[];
  /** Offsets of `retries` and `parked` that are not in their claim's `todo`: settled elsewhere. Ascending, disjoint. */
  readonly settledElsewhere: readonly OffsetRange[];
}

/** What nodes have to know of each other, from one snapshot. */
export interface SubscriptionSync {
  readonly subscription: StoredSubscription;
  readonly members: readonly Member[];
  /** All claims except the blocks of other sessions; up to 1000. */
  readonly claims: readonly ClaimHolder[];
}

/** Claims to take: only free ones, and only while the subscription has this generation. */
export interface TakeRequest extends SubscriptionHolder {
  readonly generation: number;
  readonly claimIds: readonly number[];
}

/** A block to cut off the rest: only while the subscription has this generation. */
export interface CutRequest extends SubscriptionHolder {
  readonly generation: number;
  /** Takes up to this number of offsets. */
  readonly count: number;
  /** Lower offsets were trimmed: they leave the rest. */
  readonly fromOffset: number;
  readonly untilOffset: number;
}

/** The part of a block from `offset` on. */
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

/** The records that a Commit acknowledges. */
export interface CommitClaim extends SubscriptionHolder {
  /**
   * Each offset with the slot of its key (0 unless KEYED) and the attempt that the consumer received; 0: any attempt.
   */
  readonly records: readonly { readonly offset: number; readonly slot: number; readonly attempt: number }[];
}

/** Neighbouring records with the same attempt. */
export interface SettledRange extends OffsetRange {
  readonly attempt: number;
}

/** What a Commit settled, for the node whose session delivered it. */
export interface SettledNotice extends SubscriptionHolder {
  /** Undefined: too many for one notice. `findSettled` finds them. */
  readonly records: readonly SettledRange[] | undefined;
}

export interface ListenSettledHandlers {
  readonly onNotice: (notice: SettledNotice) => void;
  /** After each connect, including the first: earlier notices were missed. */
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
  /** These offsets belong to another session, were delivered again since, or are settled. Nothing was written. */
  | { readonly kind: "stale"; readonly offsets: readonly number[] }
  | { readonly kind: "topic-gone"; readonly topicId: number };

export interface ClaimStore {
  openSession(session: NewSession): Promise<void>;
  /** False: the session was ended. */
  renewSession(session: number, leaseMs: number): Promise<boolean>;
  /** Ends a session: frees its claims and leaves its subscriptions. */
  closeSession(session: number): Promise<void>;
  /** Ends all expired sessions. Returns their number. */
  endExpiredSessions(): Promise<number>;

  /** Stores the member's consumers, and reads those of others. */
  syncSubscription(subscriptionId: number, member: Member): Promise<SubscriptionSync | undefined>;
  /** For a session without consumers: releases its claims of the subscription, and its membership. */
  leaveSubscription(subscriptionId: number, session: number): Promise<void>;

  /** Takes claims while the session exists. Returns the claims that it got. */
  takeClaims(request: TakeRequest): Promise<readonly StoredClaim[]>;
  /** Cuts a block off the rest, and takes it. Undefined: the rest has no such offsets. */
  claimBlock(request: CutRequest): Promise<CutBlock | undefined>;
  /** Returns a block's offsets from `offset` on, none of which was delivered: other sessions may take them. */
  splitClaim(request: SplitRequest): Promise<void>;
  /** Releases claims, with their offsets unchanged. */
  releaseClaims(request: ReleaseRequest): Promise<void>;

  /** The hot path: one statement, unless records are parked. Deletes claims whose `todo` is empty. */
  settle(write: SettleWrite): Promise<SettleOutcome>;
  /**
   * The records of these claims that wait for redelivery, those with most deliveries first. If an offset occurs twice,
   * the first entry counts. May contain offsets that the claims no longer have.
   */
  readRetries(subscriptionId: number, claimIds: readonly number[]): Promise<readonly Retry[]>;
  /** The frames of records to redeliver: from where they were redriven, or from the topic. Trimmed ones are missing. */
  readRetryFrames(subscriptionId: number, offsets: readonly number[]): Promise<readonly OffsetFrame[]>;

  /** Settles records of one subscription and appends to topics, in one transaction. */
  commit(write: CommitWrite): Promise<CommitOutcome>;
  /** Notifies all listening nodes of what a Commit settled. A notice may get lost. */
  announceSettled(notice: SettledNotice): Promise<void>;
  /**
   * Listens to what other nodes announce, on a connection of its own, and reconnects whenever that is lost. Resolves
   * when `signal` aborts or the store is closed; at once where there are no other nodes. Never throws.
   */
  listenSettled(handlers: ListenSettledHandlers, signal: AbortSignal): Promise<void>;
  /**
   * For each claim, the given ranges that it no longer has; all of them if this session does not hold it. Claims that
   * still have all of theirs are left out.
   */
  findSettled(delivered: DeliveredRanges): Promise<readonly ClaimRanges[]>;
}
