/** How a filter narrows a read: the offsets where a match can be, and the bytes that a matching frame must hold. */

import type { OffsetRange } from "../../core/index.js";
import { type Filter, needlesOf } from "../../filter/index.js";
import { needlesMax } from "../../store/index.js";
import type { DatabaseLanes } from "../database-lanes.js";
import { createSearchReach, type SearchReach } from "./search-reach.js";
import { offsetAtTime, type TopicAt } from "./start-offset.js";
import type { Topic } from "../topics/topic.js";

/** The most records that one search returns. */
export const searchRecordsMax = 4096;

/** A search that continues from page to page. */
export interface FrameSearch {
  readonly needles: readonly Uint8Array[];
  readonly reach: SearchReach;
}

/** Undefined: the filter needs no bytes that the database could search for. */
export function searchFor(
  filter: Filter | undefined,
  topic: Topic,
  { kind }: Pick<DatabaseLanes, "kind">,
): FrameSearch | undefined {
  const needles = filter === undefined ? [] : needlesOf(filter.needs).slice(0, needlesMax);
  if (needles.length === 0) return undefined;
  return { needles, reach: createSearchReach(topic.meanFrameBytes, kind) };
}

/** The offsets where a record can match, by the topic's present head. */
export async function offsetsOf({ needs }: Filter, at: TopicAt, signal: AbortSignal): Promise<OffsetRange> {
  if (needs.never) return { firstOffset: 0, nextOffset: 0 };
  let firstOffset = needs.fromOffset ?? 0;
  let nextOffset = needs.untilOffset ?? at.head.nextOffset;
  if (needs.fromTimeMicros !== undefined) {
    firstOffset = Math.max(firstOffset, await offsetAtTime(needs.fromTimeMicros, at, signal));
  }
  if (needs.untilTimeMicros !== undefined) {
    nextOffset = Math.min(nextOffset, await offsetAtTime(needs.untilTimeMicros, at, signal));
  }
  return { firstOffset, nextOffset: Math.max(firstOffset, nextOffset) };
}
