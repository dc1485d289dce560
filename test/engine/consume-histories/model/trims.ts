/** Records that were trimmed from their topic. */

import type { ModelNode, ModelRecord } from "./facts.js";
import type { ConsumeModel } from "./model.js";

/** A trim is running on a node. Returns a function to call when it is answered. */
export function trimming(model: ConsumeModel, by: ModelNode, before: number): () => void {
  const trim = { before, by, atMs: model.nowMs, isAnswered: false };
  model.trims.push(trim);
  for (const record of model.records) if (record.offset < before) record.wasDeliveredBeforeTrim = record.isDelivered;
  return () => (trim.isAnswered = true);
}

export function isGone(model: ConsumeModel, { offset, expiresMicros }: ModelRecord): boolean {
  return model.trims.some(({ before }) => offset < before) || model.wallMicros >= expiresMicros;
}
