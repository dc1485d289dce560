import type { Filter } from "../../filter/index.js";
import { type KeepFrame, unexpiredAt } from "../../wire/index.js";
import type { StampClock } from "../topics/stamp-clock.js";
import type { Topic } from "../topics/topic.js";

/**
 * Which of a page's records go to a reader, as things stand now: those that have not expired, and of them those that its
 * filter wants. Undefined: all of them, so that the page goes as it is.
 */
export function chooseFrames(
  filter: Filter | undefined,
  topic: Topic,
  stampClock: Pick<StampClock, "now">,
): KeepFrame | undefined {
  const isUnexpired = topic.isExpiring ? unexpiredAt(stampClock.now()) : undefined;
  if (filter === undefined) return isUnexpired;
  if (isUnexpired === undefined) return (page, start, end) => filter.matches(page, start, end);
  return (page, start, end) => isUnexpired(page, start, end) && filter.matches(page, start, end);
}
