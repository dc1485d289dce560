/** The conditions on a record, and on its attempt, for its delivery to a consumer. */

import { type ModelConsumer, type ModelRecord, nameOf } from "./facts.js";
import { isSure } from "./holds.js";
import type { ConsumeModel } from "./model.js";
import { isGone } from "./trims.js";

export function checkDelivery(
  model: ConsumeModel,
  consumer: ModelConsumer,
  record: ModelRecord,
  attempt: number,
): void {
  const { offset, key } = record;
  const { sharing, policy } = model;
  const nowMs = model.nowMs;
  const what = `offset ${offset} to ${nameOf(consumer)} at attempt ${attempt}`;
  if (record.state === "settled") model.fault("settled-again", what);
  if (offset < model.floor) model.fault("settled-again", `${what}, below the cursor ${model.floor}`);
  for (const hold of record.holds) {
    if (isSure(model, hold)) model.fault("outstanding-twice", `${what}, which ${nameOf(hold.consumer)} has`);
  }
  const known = model.trims.filter(
    ({ by, atMs, isAnswered }) => (by === consumer.node && isAnswered) || atMs + policy.hearsayMs < nowMs,
  );
  if (known.some(({ before }) => offset < before)) model.fault("trimmed-delivered", what);
  if (model.wallMicros > record.expiresMicros) model.fault("expired-delivered", what);
  const { pausedAtMs } = consumer.node;
  if (pausedAtMs !== undefined && nowMs > pausedAtMs) model.fault("paused-delivers", what);
  if (attempt < (consumer.attempts.get(offset) ?? 0) || attempt < record.lastAttempt) {
    model.fault(
      "attempt-goes-down",
      `${what}, after ${Math.max(record.lastAttempt, consumer.attempts.get(offset) ?? 0)}`,
    );
  }
  if (attempt <= record.attemptsBefore) {
    model.fault("seek-attempt-reused", `${what}, which was used before the seek: up to ${record.attemptsBefore}`);
  }
  const isCounted = record.isDelivered && record.lastEnd !== "unknown";
  if (isCounted && attempt > record.lastAttempt + 1)
    model.fault("attempt-jumps", `${what}, after ${record.lastAttempt}`);
  if (isCounted && record.lastEnd === "released" && attempt !== record.lastAttempt) {
    model.fault("release-keeps-attempt", `${what}, which was released at attempt ${record.lastAttempt}`);
  }
  const failures = record.failures.length;
  if (failures >= policy.attemptsMax) model.fault("failures-bounded", `${what}, after ${failures} failures`);
  if (sharing === "keyed" && key !== "") checkKey(model, consumer, record, what);
  if (sharing === "exclusive") checkOrder(model, record, what);
}

function checkKey(model: ConsumeModel, consumer: ModelConsumer, record: ModelRecord, what: string): void {
  for (const other of model.records) {
    if (other.key !== record.key || other === record) continue;
    for (const hold of other.holds) {
      if (!isSure(model, hold)) continue;
      model.fault("key-twice", `${what}, while ${nameOf(hold.consumer)} has ${other.offset} of key ${record.key}`);
    }
    if (other.offset < record.offset && isOpen(model, other) && other.failuresPossible === 0) {
      model.fault("key-order", `${what}, before ${other.offset} of key ${record.key}`);
    }
  }
  if (record.lastEnd === "timeout" && record.lastHolder === consumer && idleBeside(model, consumer, record)) {
    model.fault("keyed-timeout-moves", `${what}, which it had let time out`);
  }
}

function checkOrder(model: ConsumeModel, record: ModelRecord, what: string): void {
  if (record.isDelivered) return;
  for (const other of model.records) {
    if (other.offset >= record.offset || !isOpen(model, other) || other.holds.size > 0) continue;
    if (!other.isDelivered) model.fault("exclusive-order", `${what}, before ${other.offset}`);
    const isBack = other.lastEnd === "released" || other.lastEnd === "returned";
    if (isBack) model.fault("exclusive-order", `${what}, before ${other.offset}, which was given back`);
  }
}

function isOpen(model: ConsumeModel, record: ModelRecord): boolean {
  return (
    record.state === "open" &&
    record.offset >= model.floor &&
    record.lastEnd !== "unknown" &&
    record.failuresPossible < model.policy.attemptsMax &&
    !isGone(model, record)
  );
}

/** Another consumer of the same node that was idle since this record was released. */
export function idleBeside(model: ConsumeModel, consumer: ModelConsumer, record: ModelRecord): boolean {
  return model.consumers.some(
    (other) =>
      other !== consumer &&
      other.node === consumer.node &&
      other.isEager &&
      other.state === "open" &&
      !other.isStalled &&
      other.holds.size === 0 &&
      other.joinedMs < record.lastEndMs &&
      other.windows.every(({ records, bytes }) => records > 0 && bytes > 0),
  );
}
