/** How a filter narrows what is read: where a match can be, and which bytes its frame must hold. */

import type { OffsetRange } from "../../core/index.js";
import { type Filter, needlesOf } from "../../filter/index.js";
import type { Head } from "../../store/index.js";
import type { DatabaseLanes } from "../database-lanes.js";
import { createSearchReach, type SearchReach } from "./search-reach.js";
import { offsetAtTime } from "./start-offset.js";
import type { Topic } from "../topic.js";

/** Records that one search gives at most. */
export const searchRecordsMax = 4096;

/** A search that goes on from page to page. */
export interface FrameSearch {
  readonly needles: readonly Uint8Array[];
  readonly reach: SearchReach;
}

/** Undefined: the filter needs no bytes that the database could look for. */
export function searchFor(
  filter: Filter | undefined,
  topic: Topic,
  { searchBytes }: Pick<DatabaseLanes, "searchBytes">,
): FrameSearch | undefined {
  const needles = filter === undefined ? [] : needlesOf(filter.needs);
  if (needles.length === 0) return undefined;
  return { needles, reach: createSearchReach(topic.meanFrameBytes, searchBytes) };
}

/** The offsets where a record can match, as the topic stands. */
export async function offsetsOf(
  { needs }: Filter,
  topic: Topic,
  head: Head,
  lanes: DatabaseLanes,
  signal: AbortSignal,
): Promise<OffsetRange> {
  if (needs.never) return { firstOffset: 0, nextOffset: 0 };
  let firstOffset = needs.fromOffset ?? 0;
  let nextOffset = needs.untilOffset ?? head.nextOffset;
  if (needs.fromTimeMicros !== undefined) {
    firstOffset = Math.max(firstOffset, await offsetAtTime(needs.fromTimeMicros, topic, head, lanes, signal));
  }
  if (needs.untilTimeMicros !== undefined) {
    nextOffset = Math.min(nextOffset, await offsetAtTime(needs.untilTimeMicros, topic, head, lanes, signal));
  }
  return { firstOffset, nextOffset: Math.max(firstOffset, nextOffset) };
}
