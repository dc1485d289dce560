/**
 * One topic as this node knows it: its tip (the watched head), its tail, and its users. The database holds the truth,
 * and a topic only ever moves forward towards it.
 */

import {
  type BatchLimits,
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

/** How far a topic may exceed its bound before it is trimmed. In bytes it is always a few blocks. */
const overRetention = { slack: 1.03, records: 0, bytes: 65_536 };
/**
 * How far a topic may exceed its bound before its publishers wait for a trim: a factor, or an amount where that is
 * more. Without the amount, small topics would be slow.
 */
const farOverRetention = { slack: 1.05, records: 4000, bytes: 524_288 };
/** How much one commit may add to a topic: this part of its bound. The minimum keeps small topics fast. */
const commitPart = 40;
const commitBytesMin = 262_144;

/** The newest that the node knows of a topic. Followers wait on this, never on the tail. */
export type TopicTip =
  | {
      readonly state: "open" | "closed";
      readonly earliestOffset: number;
      readonly nextOffset: number;
    }
  /** Its rows are deleted. The name has to be looked up again. */
  | { readonly state: "deleted"; readonly earliestOffset: number; readonly nextOffset: number }
  /** Its next offset fell: the database went back in time. */
  | { readonly state: "lost"; readonly earliestOffset: number; readonly nextOffset: number };

export class Topic {
  readonly name: string;
  readonly topicId: number;
  readonly epoch: number;
  readonly tip: Watch<TopicTip>;
  readonly tail: Tail;
  limits: BatchLimits;
  /** The topic's own retention, with the node's defaults filled in. */
  retention: Retention;
  /** The version of the stored settings that `limits` and `retention` were taken from. */
  settingsVersion: number;
  /** Mean size of its records in bytes, to estimate how many fill a page. */
  meanFrameBytes: number;
  /** How many followers it has, and how many of them are live. The head poll and the tail exist for these. */
  followers = 0;
  liveFollowers = 0;
  /** Some of its records have a lifetime, so pages are searched for expired ones. Once true it stays true. */
  isExpiring: boolean;

  readonly #onOver: (topic: Topic) => void;
  /** As in the newest head. */
  #earliestBytes: number;
  #nextBytes: number;

  /** `onOver` is called once, when the topic's rows are deleted or its database went back in time. */
  constructor(
    stored: StoredTopic,
    nodeLimits: Limits,
    { tail, onOver }: { readonly tail: Tail; readonly onOver: (topic: Topic) => void },
  ) {
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

  /** Whether it clearly exceeds its retention. A small excess is not worth a statement. */
  get isOverRetention(): boolean {
    return this.#holdsMoreThan(overRetention.slack, overRetention.records, overRetention.bytes);
  }

  /** Whether publishers outrun the trims. */
  get isFarOverRetention(): boolean {
    return this.#holdsMoreThan(farOverRetention.slack, farOverRetention.records, farOverRetention.bytes);
  }

  /** How many bytes one commit may take, so that no single commit takes the topic far beyond its retention. */
  get commitBytesMax(): number {
    const { records, bytes } = this.retention;
    const ofRecords = records > 0 ? (records * this.meanFrameBytes) / commitPart : Number.POSITIVE_INFINITY;
    const ofBytes = bytes > 0 ? bytes / commitPart : Number.POSITIVE_INFINITY;
    return Math.max(commitBytesMin, Math.floor(Math.min(ofRecords, ofBytes)));
  }

  /**
   * Moves the tip to a head that a statement read. `nextBefore` is the tip's next offset when the statement was sent. A
   * head below it means that the database went back in time.
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

/** Applies the node's limits to the topic's own. */
export function effectiveLimits(stored: StoredTopic, node: Limits): BatchLimits {
  const atMost = (own: number, max: number): number => (own === 0 ? max : Math.min(own, max));
  return {
    recordBytes: atMost(stored.limits.recordBytes, node.recordBytes),
    batchRecords: atMost(stored.limits.batchRecords, node.batchRecords),
    batchBytes: atMost(stored.limits.batchBytes, node.batchBytes),
  };
}

/** The retention of topics that set none themselves. */
export function defaultRetention(limits: Limits): Retention {
  return { ageMs: limits.retentionAgeMs, records: limits.retentionRecords, bytes: limits.retentionBytes };
}

function meanOf(head: Head): number {
  return head.nextOffset === 0 ? 128 : Math.max(1, head.nextBytes / head.nextOffset);
}

/** Why a topic that is over accepts and gives no records. */
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

/** Refuses an epoch other than the topic's. 0 is not checked. */
export function checkEpoch(
  epoch: number,
  topic: { readonly name: string; readonly epoch: number },
  field: string,
): void {
  if (epoch === 0 || epoch === topic.epoch) return;
  if (!Number.isSafeInteger(epoch)) throw invalidArgument(field, "must be an epoch that a position gave");
  throw epochMismatch(topic.name, epoch, topic.epoch);
}
