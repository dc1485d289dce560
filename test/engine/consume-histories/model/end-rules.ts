/** The required end of a history: everything is settled once, and every verdict is answered. */

import { type ModelRecord, nameOf, type Trim } from "./facts.js";
import type { ConsumeModel } from "./model.js";
import { isGone } from "./trims.js";

/** The subscription at the end of a history. */
export interface Ending {
  /** All is settled. */
  readonly isDone: boolean;
  readonly isUnsettled: boolean;
  readonly parked: ReadonlySet<number>;
  /** When the last consumer or node was lost. */
  readonly lossMs: number;
  /** For people. */
  readonly progress: string;
}

export function checkEnd(model: ConsumeModel, end: Ending): void {
  const { isDone, isUnsettled, progress } = end;
  if (!isDone) {
    const isStuck = model.consumers.some((each) => each.isStalled && each.state === "open" && each.node.isAlive);
    model.fault(isStuck && isUnsettled ? "stalled-goes-elsewhere" : "end-progress", progress);
  }
  for (const record of model.records) {
    const isParked = end.parked.has(record.offset);
    if (isParked) checkParked(model, record);
    else if (record.offset >= model.floor) checkSettled(model, record, end);
  }
  checkTold(model);
}

function checkParked(model: ConsumeModel, record: ModelRecord): void {
  const { offset, wasParkedByWord, failuresEver, timedOutBesideIdle, failedOtherwise } = record;
  const { attemptsMax } = model.policy;
  if (wasParkedByWord) return;
  if (failuresEver < attemptsMax) {
    model.fault("parked-without-cause", `offset ${offset}, after ${failuresEver} failures`);
  }
  if (!failedOtherwise && timedOutBesideIdle >= attemptsMax - 1) model.fault("silent-parks", `offset ${offset}`);
}

function checkSettled(model: ConsumeModel, record: ModelRecord, { isDone, lossMs }: Ending): void {
  const { offset, state, acknowledgements } = record;
  if (acknowledgements > 1) model.fault("end-settled", `offset ${offset} was acknowledged ${acknowledgements} times`);
  if (!isDone || state !== "open") return;
  if (!isGone(model, record)) {
    model.fault("end-settled", `offset ${offset} was not acknowledged, and is not outstanding`);
  }
  const trim = model.trims.find(({ before }) => offset < before);
  if (trim !== undefined) checkSkipped(model, record, trim, lossMs);
}

/** Consumers must be informed of records that were trimmed before they were settled. */
function checkSkipped(model: ConsumeModel, record: ModelRecord, trim: Trim, lossMs: number): void {
  const { offset, expiresMicros, wasDeliveredBeforeTrim } = record;
  // The informed consumer may be gone, and records whose lifetime is over are skipped silently.
  if (trim.atMs < lossMs || expiresMicros < Infinity) return;
  const isTold = model.skipped.some(({ firstOffset, nextOffset }) => firstOffset <= offset && offset < nextOffset);
  if (!isTold) model.fault(wasDeliveredBeforeTrim ? "trimmed-retry-skipped" : "trimmed-skipped", `offset ${offset}`);
}

function checkTold(model: ConsumeModel): void {
  for (const consumer of model.consumers) {
    if (consumer.state !== "open" || consumer.isStalled || !consumer.node.isAlive) continue;
    const untold = consumer.said.find(({ expect }) => expect !== "either");
    if (untold !== undefined) model.fault("verdict-untold", `${nameOf(consumer)}: ${JSON.stringify(untold)}`);
    const [lapsed] = consumer.lapsed;
    if (lapsed !== undefined && consumer.seen.some(({ offset }) => offset === lapsed)) {
      model.fault("stalled-told-stale", `${nameOf(consumer)} was not told that offset ${lapsed} is another's`);
    }
  }
}
