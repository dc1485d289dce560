/** Records that a Commit settles, whichever consumer has them. */

import type { ModelConsumer, ModelRecord } from "./facts.js";
import { dropHold, isSure, writeMs } from "./holds.js";
import type { ConsumeModel } from "./model.js";

/** Whether a Commit of these must succeed. */
export function expectCommit(
  model: ConsumeModel,
  consumer: ModelConsumer,
  deliveries: readonly { readonly offset: number; readonly attempt: number }[],
): "done" | "stale" | "either" {
  let expect: "done" | "stale" | "either" = "done";
  for (const { offset, attempt } of deliveries) {
    const hold = consumer.holds.get(offset);
    const record = model.records[offset];
    if (record === undefined) return "either";
    const isQuiet = !consumer.said.some((said) => said.offset === offset) && !consumer.unsure.has(offset);
    const isOld = record.lastEndMs + writeMs < model.nowMs && record.state !== "maybe";
    const isLate = model.nodes.some(({ unsureUntilMs }) => unsureUntilMs >= model.nowMs);
    if (!isQuiet || isLate || (hold === undefined ? !isOld : !isSure(model, hold))) return "either";
    if (hold === undefined || hold.attempt !== attempt) expect = "stale";
  }
  return expect;
}

/**
 * A Commit of these is running: deliveries may follow from it before its answer. Returns a function that undoes this.
 */
export function committing(model: ConsumeModel, consumer: ModelConsumer, offsets: readonly number[]): () => void {
  const held = offsets.flatMap((offset) => consumer.holds.get(offset) ?? []).filter(({ isUnsure }) => !isUnsure);
  const open = offsets.flatMap((offset) => model.records[offset] ?? []).filter(({ state }) => state === "open");
  for (const hold of held) hold.isUnsure = true;
  for (const record of open) record.state = "maybe";
  return () => {
    for (const hold of held) hold.isUnsure = false;
    for (const record of open) record.state = "open";
  };
}

export function committed(model: ConsumeModel, consumer: ModelConsumer, offsets: readonly number[]): void {
  for (const offset of offsets) {
    const record = model.records[offset] as ModelRecord;
    for (const hold of record.holds) {
      dropHold(hold);
      hold.consumer.unsure.add(offset);
    }
    for (const each of model.consumers) {
      for (const said of each.said) if (said.offset === offset) said.expect = "either";
    }
    consumer.unsure.add(offset);
    if (record.state !== "settled") record.acknowledgements += 1;
    record.state = "settled";
  }
}
