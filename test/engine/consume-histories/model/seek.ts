/** A seek, which ends all that was known of records. */

import type { ModelNode } from "./facts.js";
import { dropHold } from "./holds.js";
import type { ConsumeModel } from "./model.js";

export function sought(model: ConsumeModel, by: ModelNode, offset: number): void {
  model.generation += 1;
  model.floor = offset;
  const nowMs = model.nowMs;
  for (const node of model.nodes) {
    node.unsureUntilMs = node === by ? nowMs : nowMs + model.policy.hearsayMs;
  }
  for (const consumer of model.consumers) {
    for (const hold of consumer.holds.values()) {
      dropHold(hold);
      // It may have timed out just before.
      hold.record.failuresEver += 1;
    }
    for (const said of consumer.said) if (said.expect === "done") said.expect = "either";
    consumer.lapsed.clear();
    consumer.attempts.clear();
  }
  for (const record of model.records) {
    record.attemptsBefore = record.attemptHighest;
    if (record.offset >= offset) record.state = "open";
    record.isDelivered = false;
    record.lastAttempt = 0;
    record.lastEnd = undefined;
    record.failures = [];
    record.failuresPossible = 0;
    record.timedOutBesideIdle = 0;
    record.failedOtherwise = false;
    record.acknowledgements = 0;
  }
}
