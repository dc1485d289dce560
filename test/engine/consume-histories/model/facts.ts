/** What is known of nodes, consumers, holds and records: what they were handed and what they said, as plain values. */

import type { Window } from "../../../../src/core/index.js";
import type { Confirmed } from "../../../../src/engine/index.js";
import type { CheckName } from "../checks.js";

export interface ModelPolicy {
  readonly ackDeadlineMs: number;
  readonly attemptsMax: number;
  /** How long another node may not know of a seek, a pause or a trim. */
  readonly hearsayMs: number;
}

export type Told = keyof Confirmed;

/** How a hold ended, as far as it says something of the next delivery. */
export type End = "acknowledged" | "failed" | "timeout" | "untaken" | "released" | "returned" | "unknown";

export interface ModelNode {
  readonly name: string;
  isAlive: boolean;
  /** Until then it may not have heard of the last seek. */
  unsureUntilMs: number;
  pausedAtMs: number | undefined;
}

export interface ModelConsumer {
  readonly id: number;
  readonly node: ModelNode;
  readonly isEager: boolean;
  readonly isSilent: boolean;
  readonly joinedMs: number;
  readonly holds: Map<number, Hold>;
  /** The windows of which one holds: the last one, once everything has settled. */
  windows: Window[];
  readonly said: Said[];
  /** Deliveries that it saw, for verdicts that come late. */
  readonly seen: { readonly offset: number; readonly attempt: number }[];
  /** Offsets that a Commit settled, or that are unsure for another reason: whatever is told of them. */
  readonly unsure: Set<number>;
  /** Offsets that its transport took too late: it is to be told that they are not its own. */
  readonly lapsed: Set<number>;
  readonly attempts: Map<number, number>;
  session: number;
  state: "open" | "half-closed" | "over";
  isStalled: boolean;
  isFenced: boolean;
}

export interface Hold {
  readonly consumer: ModelConsumer;
  readonly record: ModelRecord;
  readonly attempt: number;
  readonly bytes: number;
  readonly handedMs: number;
  /** Infinity: its transport has not taken it. */
  deadlineMs: number;
  isUnsure: boolean;
  /** Its consumer has half-closed, and gives it back: nobody is to blame. */
  isLeaving: boolean;
}

export interface Said {
  readonly offset: number;
  /** 0: any. */
  readonly attempt: number;
  /** The attempt that its consumer had then; undefined: none that the model knows of. */
  readonly heldAttempt: number | undefined;
  readonly verdict: Told;
  expect: "done" | "stale" | "either";
  readonly why: CheckName;
  readonly generation: number;
  readonly atMs: number;
}

export interface ModelRecord {
  readonly offset: number;
  readonly key: string;
  readonly expiresMicros: number;
  state: "open" | "maybe" | "settled";
  /** Holds that have not ended, of which one at most is sure. */
  readonly holds: Set<Hold>;
  /** Since the last seek. */
  isDelivered: boolean;
  lastAttempt: number;
  lastEnd: End | undefined;
  lastEndMs: number;
  lastHolder: ModelConsumer | undefined;
  failures: { readonly node: ModelNode; readonly atMs: number }[];
  failuresPossible: number;
  /** Ever. */
  attemptsBefore: number;
  attemptHighest: number;
  failuresEver: number;
  wasParkedByWord: boolean;
  wasDeliveredBeforeTrim: boolean;
  acknowledgements: number;
  /** Whether nothing but timeouts failed it, each while somebody else had nothing to do. */
  timedOutBesideIdle: number;
  failedOtherwise: boolean;
}

export interface Handed {
  readonly offset: number;
  readonly bytes: number;
}

export interface Trim {
  readonly before: number;
  readonly by: ModelNode;
  readonly atMs: number;
  isAnswered: boolean;
}

export function nameOf({ id, node }: ModelConsumer): string {
  return `c${id}@${node.name}`;
}
