/** The answers that a consumer receives to its verdicts: confirmed, or stale. */

import type { OffsetRange } from "../../../../src/core/index.js";
import type { Confirmed } from "../../../../src/engine/index.js";
import { type ModelConsumer, type ModelRecord, nameOf, type Said, type Told } from "./facts.js";
import type { ConsumeModel } from "./model.js";

export function told(model: ConsumeModel, consumer: ModelConsumer, confirmed: Confirmed): void {
  const { stale, ...taken } = confirmed;
  const each = (told: Told, { firstOffset, nextOffset }: OffsetRange, attempt: number): void => {
    for (let offset = firstOffset; offset < Math.min(nextOffset, model.records.length); offset++) {
      toldOne(model, consumer, told, offset, attempt);
    }
  };
  for (const [told, ranges] of Object.entries(taken) as [Told, readonly OffsetRange[]][]) {
    for (const range of ranges) each(told, range, 0);
  }
  for (const { range, attempt } of stale) each("stale", range, attempt);
}

function toldOne(model: ConsumeModel, consumer: ModelConsumer, told: Told, offset: number, attempt: number): void {
  const record = model.records[offset] as ModelRecord;
  record.wasParkedByWord ||= told === "parked";
  const isMeant = (said: Said): boolean =>
    told === "stale"
      ? said.attempt === attempt || (said.attempt === 0 && said.heldAttempt === attempt)
      : said.verdict === told;
  const matching = consumer.said.filter((said) => said.offset === offset && isMeant(said));
  const order = told === "stale" ? ["stale", "either", "done"] : ["done", "either", "stale"];
  const said = order.flatMap((expect) => matching.filter((each) => each.expect === expect))[0];
  const what = `${nameOf(consumer)} is told ${told} of offset ${offset}${told === "stale" ? ` at attempt ${attempt}` : ""}`;
  if (said === undefined) {
    if (told === "stale") consumer.lapsed.delete(offset);
    // Each extension has its answer, which replaces earlier verdicts on the record.
    else if (!consumer.unsure.has(offset) && told !== "extended") model.fault("told-unasked", what);
    return;
  }
  // Ranges are answered once, however often they were sent.
  for (const each of matching) {
    if (each.expect === said.expect && (told === "stale" || each.verdict === said.verdict))
      consumer.said.splice(consumer.said.indexOf(each), 1);
  }
  if (told === "stale") {
    consumer.lapsed.delete(offset);
    if (said.expect === "done") model.fault("verdict-refused", `${what}, which it had`);
    return;
  }
  if (said.expect === "stale") {
    model.fault(said.why, what);
    return;
  }
  if (said.generation !== model.generation) return;
  if (told === "acknowledged" || told === "parked") {
    // A later delivery would be a fault, and is found there.
    if (told === "acknowledged" && record.state !== "settled") record.acknowledgements += 1;
    record.state = "settled";
  }
}
