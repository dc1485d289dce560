/** Records that their topic does not keep any more. */

import type { ModelNode, ModelRecord } from "./facts.js";
import type { ConsumeModel } from "./model.js";

/** A trim is under way on a node. Gives what to call once it is answered. */
export function trimming(model: ConsumeModel, by: ModelNode, before: number): () => void {
  const trim = { before, by, atMs: model.nowMs, isAnswered: false };
  model.trims.push(trim);
  for (const record of model.records) if (record.offset < before) record.wasDeliveredBeforeTrim = record.isDelivered;
  return () => (trim.isAnswered = true);
}

export function isGone(model: ConsumeModel, { offset, expiresMicros }: ModelRecord): boolean {
  return model.trims.some(({ before }) => offset < before) || model.wallMicros >= expiresMicros;
}
