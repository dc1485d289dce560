import { describe, expect, it } from "vitest";
import { BatchQueue } from "../../../src/engine/writing/batch-queue.js";
import { createPublishBudget } from "../../../src/engine/writing/publish-budget.js";
import { systemClock } from "../../../src/telemetry/index.js";
import { batchOf } from "../../support/frames.js";

describe("BatchQueue", () => {
  const open = () => {
    const budget = createPublishBudget({
      publishTopicBytes: 100_000,
      publishNodeBytes: 100_000,
      laneQueue: 10,
    }).forTopic();
    const queue = new BatchQueue(budget, systemClock);
    const add = (call: object) =>
      queue.enqueue({ batch: batchOf([10]), expectedOffset: undefined, producer: undefined, call });
    return { budget, queue, add };
  };

  it("withdraw() refuses what waits of a call, and nothing else, and frees its room at once", async () => {
    const { budget, queue, add } = open();
    const [gone, stays] = [{}, {}];
    const first = await add(gone);
    const bytes = budget.bytes;
    await add(stays);
    queue.withdraw(gone);
    await expect(first.acknowledged).rejects.toMatchObject({ code: "call-ended" });
    expect(budget.bytes).toBe(bytes);
    const taken = queue.claim((await queue.take(100_000)) ?? []);
    expect(taken.map(({ call }) => call)).toEqual([stays]);
    expect([queue.failedCalls.has(gone), queue.failedCalls.has(stays)]).toEqual([true, false]);
  });

  it("withdraw() leaves what a commit has claimed", async () => {
    const { queue, add } = open();
    const call = {};
    const { acknowledged } = await add(call);
    const [entry] = queue.claim((await queue.take(100_000)) ?? []);
    queue.withdraw(call);
    entry?.done.resolve({ firstOffset: 0, nextOffset: 1, epoch: 1, isRepeated: false });
    await expect(acknowledged).resolves.toMatchObject({ firstOffset: 0 });
  });

  it("close() refuses what waits and what comes, and ends the one who takes", async () => {
    const { budget, queue, add } = open();
    const { acknowledged } = await add({});
    queue.close();
    await expect(acknowledged).rejects.toMatchObject({ code: "draining" });
    await expect(add({})).rejects.toMatchObject({ code: "draining" });
    const order = { batch: batchOf([10]), expectedOffset: undefined, producer: undefined, call: {} };
    expect(queue.tryEnqueue(order)).toBeUndefined();
    expect(budget.bytes).toBe(0);
    expect(await queue.take(100_000)).toBeUndefined();
  });
});
