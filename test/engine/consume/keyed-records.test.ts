import { expect, test } from "vitest";
import { defaultLimits, keySlots } from "../../../src/core/index.js";
import { Claim } from "../../../src/engine/consume/claim.js";
import { Consumer } from "../../../src/engine/consume/consumer.js";
import { KeyedRecords } from "../../../src/engine/consume/keyed-records.js";
import { createOutstandingBudget } from "../../../src/engine/consume/outstanding-budget.js";
import { step, unread } from "../../../src/engine/consume/record-life.js";
import type { ReadyRun } from "../../../src/engine/consume/record-run.js";
import { systemClock } from "../../../src/telemetry/index.js";
import { range } from "../../support/open-engine.js";

const claim = new Claim({ claimId: 1, kind: "slot", slot: 0, todo: [] }, 0);
const parts = { clock: systemClock, budget: createOutstandingBudget(defaultLimits) };
const consumerOf = (id: number) =>
  new Consumer({ id, name: "", peer: "", node: "" }, { records: 10, bytes: 1000 }, parts);

function runOf(offset: number): ReadyRun {
  const frames = { page: new Uint8Array(1), ends: Uint32Array.of(1), at: 0 };
  const state = step(unread, { type: "read" });
  return { claim, firstOffset: offset, nextOffset: offset + 1, keyQueue: offset * keySlots, state, frames };
}

test("KeyedRecords, a key whose record was late goes to another consumer, however lively the late one is", () => {
  const [one, other] = [consumerOf(1), consumerOf(2)];
  for (const offset of range(0, 20)) {
    const ready = new KeyedRecords();
    ready.share([one, other]);
    ready.add(runOf(offset));
    const owner = ready.peek(one, false) === undefined ? other : one;
    const taken = ready.take(owner, ready.peek(owner, false) as ReadyRun, 1);
    ready.failed(taken, owner);
    ready.addRedelivery(taken);
    expect(ready.peek(owner, false)).toBeUndefined();
    expect(ready.peek(owner === one ? other : one, false)?.firstOffset).toBe(offset);
  }
});
