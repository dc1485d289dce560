import { describe, expect, test } from "vitest";
import { defaultLimits } from "../../../../src/core/index.js";
import { Claim } from "../../../../src/engine/consume/records/claim.js";
import { Consumer } from "../../../../src/engine/consume/handing-out/consumer.js";
import { createOutstandingBudget } from "../../../../src/engine/consume/records/outstanding-budget.js";
import { step, unread } from "../../../../src/engine/consume/records/record-life.js";
import type { ReadyRun } from "../../../../src/engine/consume/records/record-run.js";
import { SpreadRecords } from "../../../../src/engine/consume/handing-out/spread-records.js";
import { systemClock } from "../../../../src/telemetry/index.js";

const claimOf = (claimId: number) => new Claim({ claimId, kind: "slot", slot: 0, todo: [] }, 0);
const consumer = new Consumer(
  { id: 1, name: "", peer: "", node: "" },
  { records: 10, bytes: 1000 },
  { clock: systemClock, budget: createOutstandingBudget(defaultLimits) },
);

function runOf(claim: Claim, firstOffset: number, count: number): ReadyRun {
  const ends = Uint32Array.from({ length: count }, (_, index) => index + 1);
  const frames = { page: new Uint8Array(count), ends, at: 0 };
  const state = step(unread, { type: "read" });
  return { claim, firstOffset, nextOffset: firstOffset + count, keyQueue: undefined, state, frames };
}

describe("SpreadRecords", () => {
  test("returns redelivered runs by their offsets, in any order of arrival, and then new ones", () => {
    const [ready, claim] = [new SpreadRecords(false), claimOf(1)];
    ready.add(runOf(claim, 20, 3));
    for (const offset of [7, 3, 5]) ready.addRedelivery(runOf(claim, offset, 1));
    const taken: number[] = [];
    for (let run = ready.peek(consumer, false); run !== undefined; run = ready.peek(consumer, false)) {
      taken.push(ready.take(consumer, run, 1).firstOffset);
    }
    expect(taken).toEqual([3, 5, 7, 20, 21, 22]);
    expect([ready.count, ready.redeliveryCount, ready.bytes]).toEqual([0, 0, 0]);
  });

  test("returns the lowest offset where the order must hold, redelivered or new", () => {
    const [ready, claim] = [new SpreadRecords(true), claimOf(1)];
    ready.add(runOf(claim, 20, 1));
    ready.add(runOf(claim, 22, 1));
    for (const offset of [21, 3]) ready.addRedelivery(runOf(claim, offset, 1));
    const taken: number[] = [];
    for (let run = ready.peek(consumer, false); run !== undefined; run = ready.peek(consumer, false)) {
      taken.push(ready.take(consumer, run, 1).firstOffset);
    }
    expect(taken).toEqual([3, 20, 21, 22]);
  });

  test("drops the runs of a claim, and counts those that are left", () => {
    const [ready, one, other] = [new SpreadRecords(false), claimOf(1), claimOf(2)];
    ready.add(runOf(one, 20, 3));
    ready.add(runOf(other, 30, 2));
    ready.addRedelivery(runOf(one, 1, 1));
    ready.addRedelivery(runOf(other, 2, 1));
    ready.drop(one);
    expect([ready.count, ready.redeliveryCount, ready.bytes]).toEqual([3, 1, 3]);
    expect(ready.peek(consumer, true)?.firstOffset).toBe(2);
  });
});
