/** Consumers and nodes that leave or are lost. */

import type { ModelConsumer, ModelNode } from "./facts.js";
import { dropHold, endHold, writeMs } from "./holds.js";
import type { ConsumeModel } from "./model.js";

/** How long a consumer that half-closed is watched for the reset of a cancel. */
const halfClosedMs = 100;

/** A consumer's call ended. Not `isLost`: it returned its records. */
export function left(model: ConsumeModel, consumer: ModelConsumer, isLost: boolean): void {
  if (consumer.state === "over") return;
  consumer.state = "over";
  for (const hold of consumer.holds.values()) {
    const isTaken = hold.deadlineMs !== Infinity;
    endHold(model, hold, isLost && isTaken ? "failed" : "returned");
  }
  // Verdicts without an answer may be written or not.
  for (const { offset, expect } of consumer.said) {
    const record = model.records[offset];
    if (record?.state === "maybe" && expect !== "stale") record.lastEnd = "unknown";
  }
}

/** A newer consumer of an EXCLUSIVE subscription exists: the others learn of it sooner or later. */
export function fenced(model: ConsumeModel): void {
  for (const consumer of model.consumers) {
    for (const hold of consumer.holds.values()) hold.isUnsure = true;
    for (const said of consumer.said) if (said.expect === "done") said.expect = "either";
    consumer.isFenced = true;
  }
}

export function halfClosed(model: ConsumeModel, consumer: ModelConsumer): void {
  consumer.state = "half-closed";
  for (const hold of consumer.holds.values()) {
    // It is served for a moment more: a deadline in that time may still count.
    if (hold.deadlineMs <= model.nowMs + halfClosedMs) {
      hold.record.failuresEver += 1;
      hold.record.failuresPossible += 1;
    }
    hold.isLeaving = !hold.isUnsure;
    hold.isUnsure = true;
  }
}

export function killed(model: ConsumeModel, node: ModelNode): void {
  node.isAlive = false;
  const nowMs = model.nowMs;
  for (const consumer of model.consumers) {
    if (consumer.node !== node || consumer.state === "over") continue;
    consumer.state = "over";
    for (const hold of consumer.holds.values()) {
      dropHold(hold);
      hold.record.lastEnd = "unknown";
      hold.record.failuresEver += 1;
      hold.record.failuresPossible += 1;
    }
  }
  for (const record of model.records) {
    record.failures = record.failures.filter((failure) => failure.node !== node || failure.atMs + writeMs < nowMs);
    if (record.lastHolder?.node === node && record.lastEndMs + writeMs >= nowMs) record.lastEnd = "unknown";
  }
}
