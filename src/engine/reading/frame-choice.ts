import type { Filter } from "../../filter/index.js";
import { type KeepFrame, unexpiredAt } from "../../wire/index.js";
import type { StampClock } from "../topics/stamp-clock.js";
import type { Topic } from "../topics/topic.js";

/**
 * Decides which records of a page a reader gets at this moment: those that have not expired, and that its filter
 * matches. Undefined: all of them, so that the page is sent as it is.
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
