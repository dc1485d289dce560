/** Facts about nodes, consumers, holds and records, as plain values: deliveries and requests. */

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

/** How a hold ended, as far as it matters for the next delivery. */
export type End = "acknowledged" | "failed" | "timeout" | "untaken" | "released" | "returned" | "unknown";

export interface ModelNode {
  readonly name: string;
  isAlive: boolean;
  /** Until this time it may not know of the last seek. */
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
  /** The possible windows: only the last one, once everything has settled. */
  windows: Window[];
  readonly said: Said[];
  /** Deliveries that it received, for late verdicts. */
  readonly seen: { readonly offset: number; readonly attempt: number }[];
  /** Offsets that a Commit settled, or that are unsure for another reason: any answer is allowed. */
  readonly unsure: Set<number>;
  /** Offsets that its transport took too late: it must be informed that it does not hold them. */
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
  /** Its consumer has half-closed and returns it: that is no failure. */
  isLeaving: boolean;
}

export interface Said {
  readonly offset: number;
  /** 0: any. */
  readonly attempt: number;
  /** The attempt that its consumer had then. Undefined: none that the model knows of. */
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
  /** Holds that have not ended; at most one of them is sure. */
  readonly holds: Set<Hold>;
  /** Since the last seek. */
  isDelivered: boolean;
  lastAttempt: number;
  lastEnd: End | undefined;
  lastEndMs: number;
  lastHolder: ModelConsumer | undefined;
  failures: { readonly node: ModelNode; readonly atMs: number }[];
  failuresPossible: number;
  /** Over the record's whole life. */
  attemptsBefore: number;
  attemptHighest: number;
  failuresEver: number;
  wasParkedByWord: boolean;
  wasDeliveredBeforeTrim: boolean;
  acknowledgements: number;
  /** How many times it failed by a timeout only, while another consumer was idle. */
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
