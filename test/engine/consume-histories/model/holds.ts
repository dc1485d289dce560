/** Which consumer holds a record, as far as it is known: from its delivery until it is settled, returned or late. */

import type { End, Hold, ModelRecord } from "./facts.js";
import type { ConsumeModel } from "./model.js";

/** How long after a deadline a sweep may find it and write the result. */
const sweepMs = 600;
export const writeMs = 300;

export function isSure(model: ConsumeModel, hold: Hold): boolean {
  const { consumer } = hold;
  const isTaken = hold.deadlineMs !== Infinity;
  const untilMs = isTaken ? hold.deadlineMs : hold.handedMs + model.policy.ackDeadlineMs;
  return !hold.isUnsure && consumer.state === "open" && consumer.node.isAlive && model.nowMs < untilMs;
}

/** An action and all its consequences have settled. */
export function settled(model: ConsumeModel): void {
  for (const consumer of model.consumers) consumer.windows = consumer.windows.slice(-1);
  expire(model);
}

/** The time has advanced: holds beyond their deadline end. */
function expire(model: ConsumeModel): void {
  const nowMs = model.nowMs;
  for (const consumer of model.consumers) {
    if (consumer.state !== "open") continue;
    for (const hold of consumer.holds.values()) {
      const isTaken = hold.deadlineMs !== Infinity;
      const endsMs = isTaken ? hold.deadlineMs : hold.handedMs + model.policy.ackDeadlineMs;
      if (nowMs < endsMs + sweepMs) continue;
      if (!isTaken) consumer.lapsed.add(hold.record.offset);
      endHold(model, hold, isTaken ? "timeout" : "untaken");
    }
  }
}

/** A record is delivered again: every hold that could have ended has ended. */
export function endOver(model: ConsumeModel, record: ModelRecord): void {
  for (const hold of record.holds) {
    if (isSure(model, hold)) continue;
    const isTaken = hold.deadlineMs !== Infinity;
    if (hold.isUnsure) endHold(model, hold, "unknown");
    else if (isTaken) endHold(model, hold, "timeout");
    else {
      hold.consumer.lapsed.add(record.offset);
      endHold(model, hold, "untaken");
    }
  }
}

export function endHold(model: ConsumeModel, hold: Hold, end: End): void {
  const { record, consumer } = hold;
  const isGivenBack = hold.isLeaving && model.nowMs < hold.deadlineMs && (end === "unknown" || end === "returned");
  dropHold(hold);
  record.lastHolder = consumer;
  record.lastEndMs = model.nowMs;
  if (isGivenBack) {
    record.lastEnd = "returned";
    return;
  }
  record.lastEnd = hold.isUnsure && end !== "acknowledged" ? "unknown" : end;
  const isFailure = end === "failed" || end === "timeout";
  if (isFailure || hold.isUnsure || end === "unknown") {
    record.failuresEver += 1;
    record.failuresPossible += 1;
    if (record.failuresPossible >= model.policy.attemptsMax) record.state = "maybe";
    if (end !== "timeout" || !consumer.isSilent) record.failedOtherwise = true;
  }
  if (isFailure && !hold.isUnsure) record.failures.push({ node: consumer.node, atMs: model.nowMs });
}

export function dropHold(hold: Hold): void {
  hold.record.holds.delete(hold);
  if (hold.consumer.holds.get(hold.record.offset) === hold) hold.consumer.holds.delete(hold.record.offset);
}
