import { expect, test } from "vitest";
import { defaultLimits } from "../../../../src/core/index.js";
import { Claim } from "../../../../src/engine/consume/records/claim.js";
import { Consumer } from "../../../../src/engine/consume/handing-out/consumer.js";
import { createOutstandingBudget } from "../../../../src/engine/consume/records/outstanding-budget.js";
import { step, unread } from "../../../../src/engine/consume/records/record-life.js";
import { SettleWriter } from "../../../../src/engine/consume/settling/settle-writer.js";
import { sleep } from "../../../../src/streams/index.js";
import { createSimulatedClock } from "../../../support/simulated-clock.js";

test("SettleWriter.flush() resolves although there is always more to write", async () => {
  const clock = createSimulatedClock();
  const budget = createOutstandingBudget(defaultLimits);
  const nothing = () => undefined;
  const writer = new SettleWriter({
    clock,
    budget,
    intervalMs: 10,
    async settle() {
      await sleep(10, clock);
      return { lostClaims: [], settledElsewhere: [], gone: [] };
    },
    onNoted: nothing,
    onElsewhere: nothing,
    onParked: nothing,
    onLost: nothing,
    onDone: nothing,
    onProgress: nothing,
    onFault: nothing,
  });
  const todo = [{ firstOffset: 0, nextOffset: Number.POSITIVE_INFINITY }];
  const claim = new Claim({ claimId: 0, kind: "slot", slot: 0, todo }, 0);
  const identity = { id: 1, name: "", peer: "", node: "" };
  const consumer = new Consumer(identity, { records: 10, bytes: 1000 }, { clock, budget });
  const state = step(unread, { type: "read" });
  let acknowledged = 0;
  /** Acknowledges a record each millisecond. */
  const acknowledgeFor = async (ms: number): Promise<void> => {
    for (const untilMs = clock.monotonicMs() + ms; clock.monotonicMs() < untilMs; await clock.advance(1)) {
      const run = { claim, firstOffset: acknowledged, nextOffset: ++acknowledged, keyQueue: undefined, state };
      writer.acknowledge(run, { consumer, verdict: "acknowledged", attempt: 1 });
    }
  };
  await acknowledgeFor(30);
  const before = acknowledged;
  let written = 0;
  const flushing = writer.flush().then(() => (written = claim.todo.first ?? Infinity));
  // Long enough for the running write and the next one.
  await acknowledgeFor(30);
  expect(written).toBeGreaterThanOrEqual(before);
  await flushing;
});
