/** Searches in the records of all consumers of a group. */

import type { OffsetRange } from "../../../core/index.js";
import type { DeliveredRange } from "./consume-messages.js";
import type { Consumer } from "./consumer.js";
import type { HeldRun } from "../records/record-run.js";

/** How many ranges one question to the database may have. */
const askedRangesMax = 10_000;

/** The slots of the keys of these records, by offset, for those that consumers have. */
export function outstandingSlots(consumers: Iterable<Consumer>, asked: readonly DeliveredRange[]): Map<number, number> {
  const slots = new Map<number, number>();
  const ranges = asked
    .map(({ range, attempt }) => ({ ...range, attempt }))
    .sort((one, other) => one.firstOffset - other.firstOffset);
  const note = (run: HeldRun): HeldRun => {
    for (let offset = run.firstOffset; offset < run.nextOffset; offset++) slots.set(offset, run.claim.slot);
    return run;
  };
  for (const { held } of consumers) held.use(ranges, note, () => undefined);
  return slots;
}

/** Outstanding records with a deadline up to `deadlineMs`, by claim: as many ranges as fit one question to the database. */
export function outstandingUntil(
  consumers: Iterable<Consumer>,
  deadlineMs: number,
): readonly { readonly claimId: number; readonly ranges: readonly OffsetRange[] }[] {
  const found = new Map<number, OffsetRange[]>();
  let left = askedRangesMax;
  for (const consumer of consumers) {
    for (const { claim, firstOffset, nextOffset, state } of consumer.held) {
      if (state.phase !== "outstanding" || state.deadlineMs > deadlineMs || left-- <= 0) continue;
      const ranges = found.get(claim.claimId);
      if (ranges === undefined) found.set(claim.claimId, [{ firstOffset, nextOffset }]);
      else ranges.push({ firstOffset, nextOffset });
    }
  }
  return [...found].map(([claimId, ranges]) => ({ claimId, ranges }));
}
