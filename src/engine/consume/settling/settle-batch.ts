/** The changes that one write takes to the database: records that are settled, to be redelivered, or to be parked. */

import { RangeSet } from "../../../core/index.js";
import type { ClaimRanges, SettleWrite } from "../../../store/index.js";
import type { Claim } from "../records/claim.js";
import type { Consumer, Verdict } from "../handing-out/consumer.js";
import type { RecordState } from "../records/record-life.js";
import { type RecordRun, recordsIn } from "../records/record-run.js";

/** How many records one statement notes or parks: each may be a row. */
const writtenRowsMax = 5000;

/** The consumer that learns whether its verdict holds. */
export interface Told {
  readonly consumer: Consumer;
  readonly verdict: Verdict;
  /** The attempt of the verdict. The run may be at a later one by now. */
  readonly attempt: number;
}

/** A run that is to be redelivered. */
export interface RetryNote {
  readonly run: RecordRun;
  readonly state: Extract<RecordState, { readonly phase: "noting" }>;
  readonly told: Told | undefined;
}

/** A record to park. */
export interface ParkNote {
  readonly run: RecordRun;
  readonly slot: number;
  readonly reason: string;
  readonly told: Told | undefined;
}

/** Acknowledged records to be confirmed: side by side, and of one attempt. */
interface Confirmation extends Omit<Told, "verdict"> {
  readonly claim: Claim;
  readonly firstOffset: number;
  nextOffset: number;
}

export interface SettleBatch {
  readonly settled: Map<Claim, RangeSet>;
  readonly settledRetries: Map<Claim, RangeSet>;
  readonly notes: RetryNote[];
  readonly parked: ParkNote[];
  readonly confirmations: Confirmation[];
  records: number;
  /** Called when it is written, or was given up. */
  readonly waiting: (() => void)[];
}

export function emptyBatch(): SettleBatch {
  return {
    settled: new Map(),
    settledRetries: new Map(),
    notes: [],
    parked: [],
    confirmations: [],
    records: 0,
    waiting: [],
  };
}

/** Splits a batch into the part that one statement may write, and the rest, which keeps those who wait for all of it. */
export function splitBatch(batch: SettleBatch): { readonly write: SettleBatch; readonly rest: SettleBatch } {
  const rest = emptyBatch();
  const notes: RetryNote[] = [];
  let left = writtenRowsMax;
  for (const note of batch.notes) {
    const { firstOffset, nextOffset } = note.run;
    const split = Math.min(nextOffset, firstOffset + left);
    if (split > firstOffset) notes.push({ ...note, run: { ...note.run, nextOffset: split } });
    if (split < nextOffset) rest.notes.push({ ...note, run: { ...note.run, firstOffset: split } });
    left -= split - firstOffset;
  }
  rest.parked.push(...batch.parked.slice(left));
  rest.records = rowsIn(rest);
  if (rest.records === 0) return { write: batch, rest };
  rest.waiting.push(...batch.waiting);
  const parked = batch.parked.slice(0, left);
  return { write: { ...batch, notes, parked, records: batch.records - rest.records, waiting: [] }, rest };
}

/** How many records a batch notes and parks: each takes memory until it is written. */
export function rowsIn({ notes, parked }: SettleBatch): number {
  return notes.reduce((sum, { run }) => sum + recordsIn(run), parked.length);
}

/** The ranges of a claim, which are made if there are none. */
export function rangesOf(sets: Map<Claim, RangeSet>, claim: Claim): RangeSet {
  let ranges = sets.get(claim);
  if (ranges === undefined) sets.set(claim, (ranges = new RangeSet()));
  return ranges;
}

export function isWorthWriting(batch: SettleBatch): boolean {
  return batch.settled.size > 0 || batch.notes.length > 0 || batch.parked.length > 0;
}

function claimRanges(sets: ReadonlyMap<Claim, RangeSet>): ClaimRanges[] {
  return Array.from(sets, ([{ claimId }, ranges]) => ({ claimId, ranges: [...ranges] }));
}

/** Whether one of its claims has no offsets left once this is written. */
export function emptiesClaims(batch: SettleBatch): boolean {
  for (const [claim, ranges] of batch.settled) if (ranges.count >= claim.todo.count) return true;
  return false;
}

export function writeOf(batch: SettleBatch, folds: boolean): Omit<SettleWrite, "subscriptionId" | "session"> {
  return {
    settled: claimRanges(batch.settled),
    folds,
    settledRetries: claimRanges(batch.settledRetries),
    retries: batch.notes.map(({ run, state: { deliveries, failures, delayMs, reason } }) => ({
      claimId: run.claim.claimId,
      firstOffset: run.firstOffset,
      nextOffset: run.nextOffset,
      deliveries,
      failures,
      lane: run.keyQueue,
      delayMs,
      reason,
    })),
    parked: batch.parked.map(({ run, slot, reason }) => ({
      claimId: run.claim.claimId,
      offset: run.firstOffset,
      deliveries: run.state.deliveries,
      slot,
      lane: run.keyQueue,
      reason,
    })),
  };
}
