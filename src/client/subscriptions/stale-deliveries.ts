import { RangeSet } from "../../core/index.js";
import type { ConsumeResponse_Stale as Stale } from "../../gen/millrace/v1/subscription_service.js";
import { toRange } from "./offset-range.js";

/** Records that this consumer does not have, or no longer has, if they were delivered with this attempt. */
export interface StaleDeliveries {
  readonly offsets: RangeSet;
  /** 0: any. */
  readonly attempt: number;
}

/** The stale deliveries of an answer, grouped by attempt. */
export function staleDeliveries(stale: readonly Stale[]): StaleDeliveries[] {
  const byAttempt = new Map<number, RangeSet>();
  for (const { offsets, attempt } of stale) {
    if (offsets === undefined) continue;
    const { firstOffset, nextOffset } = toRange(offsets);
    let of = byAttempt.get(attempt);
    if (of === undefined) byAttempt.set(attempt, (of = new RangeSet()));
    of.add(firstOffset, nextOffset);
  }
  return [...byAttempt].map(([attempt, offsets]) => ({ attempt, offsets }));
}

/** Whether an answer that names an attempt (0: any) is about a delivery with this attempt. */
export function isMeant(attempt: number, named: number): boolean {
  return named === 0 || named === attempt;
}
