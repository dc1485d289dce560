/** A message with records: the engine hands it to the transport, which takes it later. */

import { checkDelivery, idleBeside } from "./delivery-rules.js";
import type { Handed, Hold, ModelConsumer } from "./facts.js";
import { endHold, endOver } from "./holds.js";
import type { ConsumeModel } from "./model.js";
import { checkWindow } from "./windows.js";

export function handed(
  model: ConsumeModel,
  consumer: ModelConsumer,
  records: readonly Handed[],
  attempt: number,
): void {
  for (const { offset, bytes } of records) {
    const record = model.records[offset];
    if (record === undefined) {
      model.fault("told-unasked", `offset ${offset} was never published`);
      continue;
    }
    const isUnsure = consumer.node.unsureUntilMs >= model.nowMs;
    if (!isUnsure) endOver(model, record);
    if (!isUnsure) checkDelivery(model, consumer, record, attempt);
    const hold: Hold = {
      consumer,
      record,
      attempt,
      bytes,
      handedMs: model.nowMs,
      deadlineMs: Infinity,
      isUnsure: isUnsure || consumer.isFenced || consumer.state !== "open",
      isLeaving: false,
    };
    const before = consumer.holds.get(offset);
    if (before !== undefined) endHold(model, before, "unknown");
    consumer.holds.set(offset, hold);
    record.holds.add(hold);
    consumer.unsure.delete(offset);
    record.attemptHighest = Math.max(record.attemptHighest, attempt);
    if (isUnsure) continue;
    consumer.lapsed.delete(offset);
    consumer.attempts.set(offset, attempt);
    // To the consumer that let it time out: nobody knows yet whether another one answers.
    const isAgain = record.isDelivered && record.lastHolder === consumer;
    if (isAgain && idleBeside(model, consumer, record) && consumer.isSilent) record.timedOutBesideIdle += 1;
    record.isDelivered = true;
    record.lastAttempt = attempt;
    record.state = "open";
  }
  checkWindow(model, consumer);
}

export function taken(model: ConsumeModel, consumer: ModelConsumer, records: readonly Handed[], attempt: number): void {
  for (const { offset } of records) {
    consumer.seen.push({ offset, attempt });
    const hold = consumer.holds.get(offset);
    if (hold === undefined || hold.attempt !== attempt) continue;
    // Between the deadline and the next sweep, both are possible.
    if (model.nowMs >= hold.handedMs + model.policy.ackDeadlineMs) hold.isUnsure = true;
    if (hold.deadlineMs === Infinity) hold.deadlineMs = model.nowMs + model.policy.ackDeadlineMs;
  }
}
