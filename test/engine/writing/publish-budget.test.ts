import { describe, expect, it } from "vitest";
import { createPublishBudget } from "../../../src/engine/writing/publish-budget.js";

describe("createPublishBudget()", () => {
  const open = () => createPublishBudget({ publishTopicBytes: 10, publishNodeBytes: 15, laneQueue: 1 });

  it("counts what is taken, of the topic and of the node, until it is released", async () => {
    const node = open();
    const topic = node.forTopic();
    const first = topic.tryAcquire(4);
    const second = await topic.acquire(5);
    expect([topic.bytes, node.bytes, topic.capacity]).toEqual([9, 9, 10]);
    first?.release();
    first?.release();
    expect([topic.bytes, node.bytes]).toEqual([5, 5]);
    second.release();
    expect([topic.bytes, node.bytes]).toEqual([0, 0]);
  });

  it("gives the topic's room back where the node has none", () => {
    const node = open();
    const [full, other] = [node.forTopic(), node.forTopic()];
    full.tryAcquire(10);
    expect(other.tryAcquire(6)).toBeUndefined();
    expect(other.bytes).toBe(0);
    expect(other.tryAcquire(5)).toBeDefined();
    expect([other.bytes, node.bytes]).toEqual([5, 15]);
  });

  it("gives the topic's room back when a wait for the node's is aborted", async () => {
    const node = open();
    const [full, other] = [node.forTopic(), node.forTopic()];
    const held = full.tryAcquire(10);
    const stop = new AbortController();
    const waiting = other.acquire(6, stop.signal);
    stop.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
    expect(other.bytes).toBe(0);
    held?.release();
    expect(node.bytes).toBe(0);
  });

  it("refuses one more wait than may wait", async () => {
    const topic = open().forTopic();
    const held = topic.tryAcquire(10);
    const waiting = topic.acquire(1);
    await expect(topic.acquire(1)).rejects.toMatchObject({ code: "publish-budget-exceeded" });
    held?.release();
    (await waiting).release();
    expect(topic.bytes).toBe(0);
  });
});
