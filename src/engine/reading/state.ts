/** The state of keyed topics: the latest record of each key, as the commits left it. What Get, List and Watch share. */

import {
  answerBytes,
  answerTooLarge,
  type Limits,
  stateBuilding,
  topicNotFound,
  topicNotKeyed,
} from "../../core/index.js";
import type { Head, StoredTopic } from "../../store/index.js";
import type { Clock } from "../../telemetry/index.js";
import { encodePageMessage } from "../../wire/index.js";
import { overError } from "../appender.js";
import type { DatabaseLanes } from "../database-lanes.js";
import type { GetStateCommand, PageMessage } from "../engine.js";
import type { PageBudget } from "./page-allowance.js";
import type { StampClock } from "../stamp-clock.js";
import type { Topic } from "../topic.js";
import type { TopicCache } from "../topic-cache.js";

export interface StateParts {
  readonly cache: TopicCache;
  readonly lanes: DatabaseLanes;
  readonly pageBudget: PageBudget;
  readonly limits: Limits;
  readonly clock: Clock;
  /** Says what has expired. */
  readonly stampClock: StampClock;
  /** In [0, 1): spreads heartbeats. */
  readonly random: () => number;
}

/** Rows of state that one statement gives, at most. */
const pageRecordsMax = 1000;
/** How many more are asked for than records of the topic's mean size would fill a page. */
const recordsMargin = 1.25;

/** The latest records of some keys. Errors: those of a state, and `answer-too-large`. */
export async function getState(parts: StateParts, command: GetStateCommand, signal: AbortSignal): Promise<PageMessage> {
  const { lease, stored } = await parts.cache.acquireFresh(command.topic, signal);
  try {
    requireState(stored);
    const { topicId } = lease.topic;
    const unexpiredAt = parts.stampClock.now();
    const read = await parts.lanes.run(
      "live",
      (store) => store.readState(topicId, command.keys, answerBytes, unexpiredAt),
      signal,
    );
    const { head, records, bytes, frames } = observed(lease.topic, read);
    if (frames === undefined) {
      const what = `The latest records of the keys have ${bytes} bytes together`;
      throw answerTooLarge(what, `ask for fewer of these ${command.keys.length} keys at once, or use List or Watch`);
    }
    const next = { epoch: lease.topic.epoch, offset: head.nextOffset };
    return { kind: "page", encoded: encodePageMessage(records === 0 ? [] : [frames], next), records, next };
  } finally {
    lease.release();
  }
}

/** Refuses a topic that keeps no state, or whose state is not whole. One that was whole stays so. */
export function requireState({ name, head, stateBuild }: StoredTopic): void {
  if (!head.keyed) throw topicNotKeyed(name);
  if (stateBuild !== undefined) throw stateBuilding(name, stateBuild);
}

/** What was read, once the topic knows the head beside it. */
export function observed<Read extends { readonly head: Head }>(topic: Topic, read: Read | undefined): Read {
  const nextBefore = topic.tip.value.nextOffset;
  if (read === undefined) topic.markDeleted();
  // Not against the tip: it may have moved while the statement ran, and the poll tells a database that went back.
  else topic.observe(read.head, Math.min(nextBefore, read.head.nextOffset));
  if (read === undefined) throw topicNotFound(topic.name);
  if (topic.isOver) throw overError(topic);
  return read;
}

/** How many records a page of so many bytes may have: what is read and does not fit is read for nothing. */
export function recordsWithin(bytes: number, { meanFrameBytes }: Topic): number {
  return Math.min(pageRecordsMax, 1 + Math.ceil((bytes / meanFrameBytes) * recordsMargin));
}
