import type { SettledNotice, SettledRange } from "../../../store/index.js";
import type { Logger } from "../../../telemetry/index.js";
import type { DatabaseLanes } from "../../database-lanes.js";
import type { AcknowledgedRecord } from "./acknowledged-records.js";

/**
 * Tells the node that delivered some records that a Commit on this node settled them. Never throws: a node that is not told
 * finds out within a second.
 */
export async function announceSettled(
  { lanes, logger }: { readonly lanes: DatabaseLanes; readonly logger: Logger },
  notice: SettledNotice,
): Promise<void> {
  try {
    await lanes.run("append", (store) => store.announceSettled(notice));
  } catch (error) {
    logger.debug({ err: error }, "cannot tell other nodes of a Commit; they look once a second");
  }
}

/** Joins neighbours of the same attempt. */
export function settledRanges(records: readonly AcknowledgedRecord[]): readonly SettledRange[] {
  const ranges: { firstOffset: number; nextOffset: number; attempt: number }[] = [];
  for (const { offset, attempt } of records.toSorted((one, other) => one.offset - other.offset)) {
    const last = ranges.at(-1);
    if (last?.nextOffset === offset && last.attempt === attempt) last.nextOffset = offset + 1;
    else ranges.push({ firstOffset: offset, nextOffset: offset + 1, attempt });
  }
  return ranges;
}
