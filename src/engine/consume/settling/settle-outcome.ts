/** Applies a write: claims lose settled offsets, records change their state, and consumers get confirmations. */

import { type OffsetRange, RangeSet } from "../../../core/index.js";
import type { SettleOutcome } from "../../../store/index.js";
import type { Claim } from "../records/claim.js";
import type { RecordRun } from "../records/record-run.js";
import type { SettleBatch, Told } from "./settle-batch.js";

export interface OutcomeHandlers {
  /** The run is noted: it may be redelivered after its delay. */
  readonly onNoted: (run: RecordRun) => void;
  /** The run was to be redelivered, but somebody else settled it. */
  readonly onElsewhere: (run: RecordRun) => void;
  /** The run is parked, or somebody else settled it. */
  readonly onParked: (run: RecordRun) => void;
  /** Other nodes have these claims. */
  readonly onLost: (claims: readonly Claim[]) => void;
  /** The claim has no offsets left. */
  readonly onDone: (claim: Claim) => void;
}

export function applyOutcome(batch: SettleBatch, outcome: SettleOutcome, handlers: OutcomeHandlers): void {
  const lost = new Set(outcome.lostClaims);
  const elsewhere = new RangeSet(outcome.settledElsewhere);
  const isLost = (claim: Claim): boolean => claim.isLost || lost.has(claim.claimId);
  const touched = new Set([
    ...batch.settled.keys(),
    ...batch.notes.map(({ run }) => run.claim),
    ...batch.parked.map(({ run }) => run.claim),
  ]);
  handlers.onLost([...touched].filter(isLost));
  for (const [claim, ranges] of batch.settled) {
    if (isLost(claim)) continue;
    for (const { firstOffset, nextOffset } of ranges) claim.todo.delete(firstOffset, nextOffset);
  }
  for (const { claim, consumer, attempt, firstOffset, nextOffset } of batch.confirmations) {
    if (isLost(claim)) consumer.refuse(attempt, firstOffset, nextOffset);
    else consumer.confirm("acknowledged", firstOffset, nextOffset);
  }
  for (const { run, told } of batch.notes) {
    if (isLost(run.claim)) tell(told, run, true);
    else {
      for (const part of split(run, elsewhere)) {
        if (part.isElsewhere) leave(part.run, handlers.onElsewhere);
        else handlers.onNoted(part.run);
        tell(told, part.run, part.isElsewhere);
      }
    }
  }
  for (const { run, told } of batch.parked) {
    if (isLost(run.claim)) tell(told, run, true);
    else {
      leave(run, handlers.onParked);
      tell(told, run, elsewhere.has(run.firstOffset));
    }
  }
  for (const claim of touched) if (!isLost(claim) && claim.todo.isEmpty) handlers.onDone(claim);
}

/** A run leaves its claim. */
function leave(run: RecordRun, onLeft: (run: RecordRun) => void): void {
  run.claim.todo.delete(run.firstOffset, run.nextOffset);
  onLeft(run);
}

/** The parts of a run that somebody else settled, and those that nobody did. */
function* split(
  run: RecordRun,
  elsewhere: RangeSet,
): Generator<{ readonly run: RecordRun; readonly isElsewhere: boolean }> {
  let at = run.firstOffset;
  const part = (nextOffset: number, isElsewhere: boolean) => {
    const found = { run: { ...run, firstOffset: at, nextOffset }, isElsewhere };
    at = nextOffset;
    return found;
  };
  for (const { firstOffset, nextOffset } of elsewhere.missing(run.firstOffset, run.nextOffset)) {
    if (firstOffset > at) yield part(firstOffset, true);
    yield part(nextOffset, false);
  }
  if (at < run.nextOffset) yield part(run.nextOffset, true);
}

function tell(told: Told | undefined, { firstOffset, nextOffset }: OffsetRange, isStale: boolean): void {
  if (told === undefined) return;
  if (isStale) told.consumer.refuse(told.attempt, firstOffset, nextOffset);
  else told.consumer.confirm(told.verdict, firstOffset, nextOffset);
}
