import { describe, expect, test } from "vitest";
import { defaultLimits, keySlots } from "../../../../src/core/index.js";
import { Claim } from "../../../../src/engine/consume/records/claim.js";
import { Consumer } from "../../../../src/engine/consume/handing-out/consumer.js";
import { KeyedRecords } from "../../../../src/engine/consume/handing-out/keyed-records.js";
import { createOutstandingBudget } from "../../../../src/engine/consume/records/outstanding-budget.js";
import { step, unread } from "../../../../src/engine/consume/records/record-life.js";
import type { ReadyRun } from "../../../../src/engine/consume/records/record-run.js";
import { systemClock } from "../../../../src/telemetry/index.js";
import { range } from "../../../support/open-engine.js";

const claim = new Claim({ claimId: 1, kind: "slot", slot: 0, todo: [] }, 0);
const parts = { clock: systemClock, budget: createOutstandingBudget(defaultLimits) };
const consumerOf = (id: number) =>
  new Consumer({ id, name: "", peer: "", node: "" }, { records: 10, bytes: 1000 }, parts);

function runOf(offset: number, keyQueue: number | undefined): ReadyRun {
  const frames = { page: new Uint8Array(1), ends: Uint32Array.of(1), at: 0 };
  const state = step(unread, { type: "read" });
  return { claim, firstOffset: offset, nextOffset: offset + 1, keyQueue, state, frames };
}

/** The offset of the next record, taken out. */
function takeFrom(ready: KeyedRecords, consumer: Consumer, redeliveriesOnly: boolean): number | undefined {
  const run = ready.peek(consumer, redeliveriesOnly);
  return run && ready.take(consumer, run, 1).firstOffset;
}

describe("KeyedRecords", () => {
  test("a key whose record was late goes to another consumer, also when the late one answers again", () => {
    const [one, other] = [consumerOf(1), consumerOf(2)];
    for (const offset of range(0, 20)) {
      const ready = new KeyedRecords();
      ready.share([one, other]);
      ready.add(runOf(offset, offset * keySlots));
      const owner = ready.peek(one, false) === undefined ? other : one;
      const taken = ready.take(owner, ready.peek(owner, false) as ReadyRun, 1);
      ready.failed(taken, owner);
      ready.addRedelivery(taken);
      expect(ready.peek(owner, false)).toBeUndefined();
      expect(ready.peek(owner === one ? other : one, false)?.firstOffset).toBe(offset);
    }
  });

  test("records without a key do not wait until no others are ready", () => {
    const [ready, consumer] = [new KeyedRecords(), consumerOf(1)];
    ready.share([consumer]);
    const keyQueues = [0, undefined, keySlots, 2 * keySlots];
    keyQueues.forEach((keyQueue, offset) => ready.add(runOf(offset, keyQueue)));
    expect(range(0, 4).map(() => takeFrom(ready, consumer, false))).toEqual([0, 1, 2, 3]);
  });

  test("a redelivered record is not hidden behind records that may not be handed out now", () => {
    const [ready, consumer] = [new KeyedRecords(), consumerOf(1)];
    ready.share([consumer]);
    ready.add(runOf(0, 0));
    ready.hold(runOf(1, keySlots));
    ready.addRedelivery(runOf(1, keySlots));
    expect(takeFrom(ready, consumer, true)).toBe(1);
    expect(takeFrom(ready, consumer, true)).toBeUndefined();
    expect(takeFrom(ready, consumer, false)).toBe(0);
  });
});
