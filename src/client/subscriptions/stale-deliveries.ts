import { RangeSet } from "../../core/index.js";
import type { ConsumeResponse_Stale as Stale } from "../../gen/millrace/v1/subscription_service.js";
import { toRange } from "./offset-range.js";

/** Records that are not this consumer's (any more), as far as they were delivered with this attempt. */
export interface StaleDeliveries {
  readonly offsets: RangeSet;
  /** 0: any. */
  readonly attempt: number;
}

/** What an answer says is stale: of each attempt, all offsets together. */
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

/** Whether a delivery with one attempt is meant where another is named. */
export function isMeant(attempt: number, named: number): boolean {
  return named === 0 || named === attempt;
}
