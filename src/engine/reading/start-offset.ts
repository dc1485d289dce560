/** Resolves every kind of start to an offset, and checks it against the topic's head. */

import { endOfFrame, offsetOutOfRange, type Start } from "../../core/index.js";
import type { Head } from "../../store/index.js";
import { readStamp } from "../../wire/index.js";
import type { DatabaseLanes } from "../database-lanes.js";
import { checkEpoch, type Topic } from "../topics/topic.js";

/** A topic as a statement saw it, and the way to ask more of it. */
export interface TopicAt {
  readonly topic: Topic;
  readonly head: Head;
  readonly lanes: DatabaseLanes;
}

/**
 * The offset of a start. It may lie below what is kept; the reader decides what that means. Errors: `epoch-mismatch`;
 * `offset-out-of-range` above the next offset.
 */
export async function resolveStart(start: Start, at: TopicAt, signal?: AbortSignal): Promise<number> {
  const { topic, head } = at;
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
      return offsetAtTime(start.timeMicros, at, signal);
    default:
      return start satisfies never;
  }
}

function checkReached(offset: number, topic: Topic, head: Head): number {
  if (offset > head.nextOffset) throw offsetOutOfRange(topic.name, offset, head);
  return offset;
}

/**
 * The first offset with a time at or after `timeMicros`, or the next offset. The database finds the block by its times,
 * and a walk over the block's stamps finds the record.
 */
export async function offsetAtTime(
  timeMicros: number,
  { topic, head, lanes }: TopicAt,
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
  // A trimmed record is no start, and a record that arrived later does not belong to this head.
  return Math.min(Math.max(offset, head.earliestOffset), head.nextOffset);
}

/** When a record was appended, in microseconds since 1970. Undefined: the record is not there. */
export async function timeAt(
  topic: { readonly topicId: number },
  offset: number,
  lanes: DatabaseLanes,
  signal?: AbortSignal,
): Promise<number | undefined> {
  const [found] = await lanes.run("live", (store) => store.readFrames(topic.topicId, [offset]), signal);
  return found && readStamp(found.frame, found.frame.length).timeMicros;
}
