/**
 * How the consumers of a group share what is ready: by the room in their windows, in KEYED by their keys. A consumer that
 * does not read, or lets deadlines pass without a word, stands back while there are others.
 */

import type { Sharing } from "../../../core/index.js";
import type { Consumer } from "./consumer.js";
import type { ConsumerSet } from "./consumer-set.js";
import type { ReadyRecords } from "./ready-records.js";

export interface FairShareParts {
  readonly sharing: Sharing;
  readonly consumers: ConsumerSet;
  readonly ready: ReadyRecords;
}

/** How many records one consumer may take now, so that others with room get theirs. */
export function fairShare(consumer: Consumer, { sharing, consumers, ready }: FairShareParts): number {
  if (consumers.size === 1 || sharing === "keyed") return Number.POSITIVE_INFINITY;
  // Many are woken for nothing, and each would look at all others.
  if (ready.count === 0) return Number.POSITIVE_INFINITY;
  // A message has records of one attempt: redelivered records are few, and their shares would be many small messages.
  if (ready.redeliveryCount > 0) return Number.POSITIVE_INFINITY;
  let room = consumer.room;
  // A consumer whose transport has not taken its last message takes nothing now.
  for (const each of consumers) if (each !== consumer && !each.isSending) room += each.room;
  return Math.ceil((ready.count * consumer.room) / Math.max(1, room));
}

/** Whether a silent consumer stands back for one that reads, answers and has room. */
export function isOutdone(consumer: Consumer, { sharing, consumers }: FairShareParts): boolean {
  if (sharing === "keyed" || !consumer.isSilent) return false;
  for (const each of consumers) if (each.room > 0 && each.isLively) return true;
  return false;
}

/**
 * The consumers that keys are spread over. Those with a closed window get none: such a consumer would hold up all others
 * once its records are read ahead.
 */
export function keySharers(consumers: ConsumerSet): readonly Consumer[] {
  const open = [...consumers].filter(({ isOpen }) => isOpen);
  const lively = open.filter(({ isLively }) => isLively);
  return lively.length > 0 ? lively : open;
}
