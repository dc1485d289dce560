/** Where a reader begins: every way to say it becomes an offset, held against the topic as it stands. */

import { endOfFrame, epochMismatch, invalidArgument, offsetOutOfRange, type Start } from "../../core/index.js";
import type { Head } from "../../store/index.js";
import { readStamp } from "../../wire/index.js";
import type { DatabaseLanes } from "../database-lanes.js";
import type { Topic } from "../topic.js";

/**
 * The offset of a start. It may lie below what is kept: what then happens is the reader's choice. Errors:
 * `epoch-mismatch`; `offset-out-of-range` above the next offset.
 */
export async function resolveStart(
  start: Start,
  topic: Topic,
  head: Head,
  lanes: DatabaseLanes,
  signal?: AbortSignal,
): Promise<number> {
  switch (start.at) {
    case "earliest":
      return head.earliestOffset;
    case "latest":
      return head.nextOffset;
    case "position":
      checkEpoch(start.position.epoch, topic, "start.position.epoch");
      return checkReached(start.position.offset, topic, head);
    case "offset":
      return checkReached(start.offset, topic, head);
    case "last":
      return Math.max(head.earliestOffset, head.nextOffset - start.count);
    case "time":
      return offsetAtTime(start.timeMicros, topic, head, lanes, signal);
    default:
      return start satisfies never;
  }
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

function checkReached(offset: number, topic: Topic, head: Head): number {
  if (offset > head.nextOffset) throw offsetOutOfRange(topic.name, offset, head);
  return offset;
}

/**
 * The first offset taken at a time or later, or the next offset: the database finds the block by the times of its blocks,
 * and a walk over the block's stamps does the rest.
 */
export async function offsetAtTime(
  timeMicros: number,
  topic: Topic,
  head: Head,
  lanes: DatabaseLanes,
  signal?: AbortSignal,
): Promise<number> {
  if (timeMicros > head.lastTimeMicros) return head.nextOffset;
  const read = await lanes.run("live", (store) => store.readAtTime(topic.topicId, timeMicros), signal);
  if (read?.block === undefined) return head.nextOffset;
  const { firstOffset, frames } = read.block;
  let offset = firstOffset;
  for (let end = 0; end < frames.length; offset++) {
    end = endOfFrame(frames, end);
    if (readStamp(frames, end).timeMicros >= timeMicros) break;
  }
  // What was trimmed of the block is no start; and a record that came meanwhile is not of this head.
  return Math.min(Math.max(offset, head.earliestOffset), head.nextOffset);
}
