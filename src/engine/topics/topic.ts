/**
 * One topic as this node knows it: its tip (the watched head), its tail, and who uses it. The database is the truth; a
 * topic only ever moves forward towards it.
 */

import {
  effectiveRetention,
  epochMismatch,
  invalidArgument,
  type Limits,
  MillraceError,
  type Retention,
  topicDeleted,
} from "../../core/index.js";
import type { Head, StoredTopic } from "../../store/index.js";
import { Watch } from "../../streams/index.js";
import type { Tail } from "./tail.js";

/** How much more than its bound a topic may hold before it is trimmed: by bytes always as much as a few blocks. */
const retentionSlack = { slack: 1.03, records: 0, bytes: 65_536 };
/** And how much more before its publishers wait for that: a part, or so much where that is more, or small topics would be slow. */
const retentionMost = { slack: 1.05, records: 4000, bytes: 524_288 };
/** What one commit may add to it: so much of its bound, but always so many bytes, or small topics would commit slowly. */
const commitPart = 40;
const commitBytesLeast = 262_144;

/** The newest that is known of a topic. Followers wait on this, never on the tail. */
export type TopicTip =
  | {
      readonly state: "open" | "closed";
      readonly earliestOffset: number;
      readonly nextOffset: number;
    }
  /** Its rows are gone; what a name means now is looked up again. */
  | { readonly state: "deleted"; readonly earliestOffset: number; readonly nextOffset: number }
  /** Its next offset fell: the database went back in time. */
  | { readonly state: "lost"; readonly earliestOffset: number; readonly nextOffset: number };

export interface TopicLimits {
  readonly recordBytes: number;
  readonly batchRecords: number;
  readonly batchBytes: number;
}

export class Topic {
  readonly name: string;
  readonly topicId: number;
  readonly epoch: number;
  readonly tip: Watch<TopicTip>;
  readonly tail: Tail;
  limits: TopicLimits;
  /** With the node's defaults. */
  retention: Retention;
  /** The version of the settings that `limits` and `retention` came from. */
  settingsVersion: number;
  /** Mean size of its records, for guessing how many make a page. */
  meanFrameBytes: number;
  /** Followers, and those among them that are live. The head poll and the tail serve only them. */
  followers = 0;
  liveFollowers = 0;
  /** Some of its records have a lifetime: pages are looked through for what has expired. Once true it stays so. */
  isExpiring: boolean;

  readonly #onOver: (topic: Topic) => void;
  /** As in the newest head. */
  #earliestBytes: number;
  #nextBytes: number;

  /** `onOver` is told once when its rows are gone or its database went back in time. */
  constructor(stored: StoredTopic, tail: Tail, nodeLimits: Limits, onOver: (topic: Topic) => void) {
    const { head } = stored;
    this.#onOver = onOver;
    this.name = stored.name;
    this.topicId = head.topicId;
    this.epoch = head.epoch;
    this.tail = tail;
    this.limits = effectiveLimits(stored, nodeLimits);
    this.retention = effectiveRetention(stored.retention, defaultRetention(nodeLimits));
    this.isExpiring = head.expiring;
    this.#earliestBytes = head.earliestBytes;
    this.#nextBytes = head.nextBytes;
    this.settingsVersion = head.version;
    this.meanFrameBytes = meanOf(head);
    this.tip = new Watch<TopicTip>({
      state: head.closed ? "closed" : "open",
      earliestOffset: head.earliestOffset,
      nextOffset: head.nextOffset,
    });
  }

  get isOver(): boolean {
    const { state } = this.tip.value;
    return state === "deleted" || state === "lost";
  }

  /** Whether it holds clearly more than its bounds allow. A little more is not worth a statement. */
  get isOverRetention(): boolean {
    return this.#holdsMoreThan(retentionSlack.slack, retentionSlack.records, retentionSlack.bytes);
  }

  /** Whether it runs away from those who trim it. */
  get isFarOverRetention(): boolean {
    return this.#holdsMoreThan(retentionMost.slack, retentionMost.records, retentionMost.bytes);
  }

  /** What one commit may take, so that it does not take the topic far over its bounds by itself. */
  get commitBytesMax(): number {
    const { records, bytes } = this.retention;
    const ofRecords = records > 0 ? (records * this.meanFrameBytes) / commitPart : Number.POSITIVE_INFINITY;
    const ofBytes = bytes > 0 ? bytes / commitPart : Number.POSITIVE_INFINITY;
    return Math.max(commitBytesLeast, Math.floor(Math.min(ofRecords, ofBytes)));
  }

  /**
   * Moves the tip to what a statement saw. `nextBefore` is the tip's next offset when the statement was sent: a head
   * below that is a database that went back in time.
   */
  observe(head: Head, nextBefore: number): void {
    const tip = this.tip.value;
    if (this.isOver) return;
    if (head.nextOffset < nextBefore || head.epoch !== this.epoch) {
      this.#end("lost");
      return;
    }
    this.meanFrameBytes = meanOf(head);
    this.isExpiring ||= head.expiring;
    this.#earliestBytes = Math.max(head.earliestBytes, this.#earliestBytes);
    this.#nextBytes = Math.max(head.nextBytes, this.#nextBytes);
    const isClosed = tip.state === "closed" || head.closed;
    if (
      head.nextOffset > tip.nextOffset ||
      head.earliestOffset > tip.earliestOffset ||
      isClosed !== (tip.state === "closed")
    ) {
      this.tip.set({
        state: isClosed ? "closed" : "open",
        earliestOffset: Math.max(head.earliestOffset, tip.earliestOffset),
        nextOffset: Math.max(head.nextOffset, tip.nextOffset),
      });
    }
  }

  /** Its rows are gone. */
  markDeleted(): void {
    if (!this.isOver) this.#end("deleted");
  }

  #holdsMoreThan(slack: number, moreRecords: number, moreBytes: number): boolean {
    const { records, bytes } = this.retention;
    const { earliestOffset, nextOffset } = this.tip.value;
    return (
      (records > 0 && nextOffset - earliestOffset > Math.max(records * slack, records + moreRecords)) ||
      (bytes > 0 && this.#nextBytes - this.#earliestBytes > Math.max(bytes * slack, bytes + moreBytes))
    );
  }

  #end(state: "deleted" | "lost"): void {
    this.tip.set({ ...this.tip.value, state });
    this.#onOver(this);
  }
}

/** What a topic may ask for is bounded by the node's own limits. */
export function effectiveLimits(stored: StoredTopic, node: Limits): TopicLimits {
  const atMost = (own: number, most: number): number => (own === 0 ? most : Math.min(own, most));
  return {
    recordBytes: atMost(stored.limits.recordBytes, node.recordBytes),
    batchRecords: atMost(stored.limits.batchRecords, node.batchRecords),
    batchBytes: atMost(stored.limits.batchBytes, node.batchBytes),
  };
}

/** What topics keep that do not say so themselves. */
export function defaultRetention(limits: Limits): Retention {
  return { ageMs: limits.retentionAgeMs, records: limits.retentionRecords, bytes: limits.retentionBytes };
}

function meanOf(head: Head): number {
  return head.nextOffset === 0 ? 128 : Math.max(1, head.nextBytes / head.nextOffset);
}

/** Why a topic that is over takes and gives nothing any more. */
export function overError(topic: Topic): MillraceError {
  const { state, nextOffset } = topic.tip.value;
  if (state === "lost") {
    return new MillraceError(
      "data-loss",
      `Topic "${topic.name}" lost records: its database went back in time, and offsets below ${nextOffset} may be given twice. It has a new epoch; start over`,
      { metadata: { topic: topic.name, epoch: String(topic.epoch), next_offset: String(nextOffset) } },
    );
  }
  return topicDeleted(topic.name, { epoch: topic.epoch, offset: nextOffset });
}

/** Refuses an epoch that is not the topic's. 0 is unchecked. */
export function checkEpoch(
  epoch: number,
  topic: { readonly name: string; readonly epoch: number },
  field: string,
): void {
  if (epoch === 0 || epoch === topic.epoch) return;
  if (!Number.isSafeInteger(epoch)) throw invalidArgument(field, "must be an epoch that a position gave");
  throw epochMismatch(topic.name, epoch, topic.epoch);
}
