/** The verdicts of a consumer, and the answers that it must receive. */

import type { OffsetRange } from "../../../../src/core/index.js";
import type { ConsumerRequest } from "../../../../src/engine/index.js";
import type { CheckName } from "../checks.js";
import type { Hold, ModelConsumer, ModelRecord, Said, Told } from "./facts.js";
import { endHold, isSure } from "./holds.js";
import type { ConsumeModel } from "./model.js";

/** Notes the answers that a request must receive, and how it changes records. */
export function say(model: ConsumeModel, consumer: ModelConsumer, request: ConsumerRequest): void {
  if (request.window !== undefined) consumer.windows.push(request.window);
  const named = new Set<string>();
  const each = (
    verdict: Told,
    { firstOffset, nextOffset }: OffsetRange,
    attempt: number,
    done: (hold: Hold) => void,
  ): void => {
    for (let offset = firstOffset; offset < Math.min(nextOffset, model.records.length); offset++) {
      // Of two verdicts on one offset and attempt, the first counts.
      const name = `${offset}@${attempt}`;
      if (named.has(name)) continue;
      named.add(name);
      sayOne(model, consumer, { verdict, offset, attempt }, done);
    }
  };
  const acknowledged = (hold: Hold): void => {
    hold.record.state = "maybe";
    endHold(model, hold, "acknowledged");
  };
  for (const { range, attempt } of request.acknowledge) each("acknowledged", range, attempt, acknowledged);
  if (request.acknowledgeThrough !== undefined) {
    for (const offset of consumer.holds.keys()) {
      if (offset > request.acknowledgeThrough) continue;
      sayOne(model, consumer, { verdict: "acknowledged", offset, attempt: 0 }, acknowledged);
    }
  }
  for (const { range, attempt } of request.reject)
    each("rejected", range, attempt, (hold) => endHold(model, hold, "failed"));
  for (const { range, attempt, byMs } of request.extend) {
    each("extended", range, attempt, (hold) => {
      hold.deadlineMs = model.nowMs + (byMs ?? model.policy.ackDeadlineMs);
    });
  }
  for (const { range, attempt } of request.park) {
    each("parked", range, attempt, (hold) => {
      hold.record.state = "maybe";
      hold.record.wasParkedByWord = true;
      endHold(model, hold, "acknowledged");
    });
  }
  for (const { range, attempt } of request.release) {
    each("released", range, attempt, (hold) => endHold(model, hold, "released"));
  }
}

function sayOne(
  model: ConsumeModel,
  consumer: ModelConsumer,
  { verdict, offset, attempt }: { readonly verdict: Told; readonly offset: number; readonly attempt: number },
  done: (hold: Hold) => void,
): void {
  const hold = consumer.holds.get(offset);
  const note = (expect: Said["expect"], why: CheckName): void => {
    const isOff = expect === "stale" && !model.isOn(why);
    consumer.said.push({
      offset,
      attempt,
      heldAttempt: hold?.attempt,
      verdict,
      expect: isOff ? "either" : expect,
      why,
      generation: model.generation,
      atMs: model.nowMs,
    });
  };
  const isPending = consumer.said.some((said) => said.offset === offset && said.expect === "either");
  const isNamed = hold !== undefined && (attempt === 0 || attempt === hold.attempt);
  if (hold !== undefined && isSure(model, hold) && hold.deadlineMs !== Infinity) {
    if (isNamed) {
      note("done", "verdict-refused");
      done(hold);
    } else note("stale", "attempt-mismatch-stale");
    return;
  }
  const isOnTheWay = hold !== undefined && hold.deadlineMs === Infinity;
  if (
    hold !== undefined ||
    consumer.isFenced ||
    consumer.unsure.has(offset) ||
    isPending ||
    consumer.node.unsureUntilMs >= model.nowMs
  ) {
    note("either", "told-unasked");
    // The delivery on its way may be meant, and then it is settled.
    if (hold !== undefined && (isNamed || isOnTheWay)) {
      hold.record.state = "maybe";
      endHold(model, hold, "unknown");
    }
    // Its call may end before the answer.
    const named = model.records[offset];
    if (named !== undefined) named.wasParkedByWord ||= verdict === "parked";
    consumer.unsure.add(offset);
    return;
  }
  if (consumer.lapsed.has(offset)) note("stale", "stalled-told-stale");
  else note("stale", (model.records[offset]?.attemptsBefore ?? 0) > 0 ? "seek-stale" : "not-held-stale");
  // If the rule is switched off, the verdict may take effect.
  if (consumer.said.at(-1)?.expect === "either") {
    const record = model.records[offset] as ModelRecord;
    record.state = "maybe";
    record.wasParkedByWord ||= verdict === "parked";
    record.failuresEver += 1;
    record.failuresPossible += 1;
    record.lastEnd = "unknown";
  }
}
