import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseFilter } from "../../../src/filter/index.js";
import { createTestDatabase, databaseKinds, type TestDatabase } from "../../support/database.js";
import { offsetsOf, openTestEngine, range, type TestEngine } from "../../support/open-engine.js";
import { createSimulatedClock } from "../../support/simulated-clock.js";

describe.each(databaseKinds)("Engine.follow() on %s", (kind) => {
  let database: TestDatabase;
  let node: TestEngine;

  beforeAll(async () => {
    database = await createTestDatabase(kind);
    node = await openTestEngine(await database.openStore(), {
      tailTopicBytes: 2000,
      pageBytesMin: 500,
      pageBytesMax: 1000,
      headPollMs: 20,
      heartbeatMinMs: 100,
      heartbeatMaxMs: 120,
    });
  });
  afterAll(async () => {
    await node.engine.close();
    await database.drop();
  });

  it("starts at the end by default, and reports where", async () => {
    await node.append("default", [1, 1]);
    const follower = node.follow("default", { start: undefined });
    expect(await follower.next()).toMatchObject({
      kind: "started",
      earliestOffset: 0,
      nextOffset: 2,
      next: { offset: 2 },
    });
    expect(await follower.next()).toMatchObject({ kind: "caught-up" });
    await node.append("default", [1]);
    expect(offsetsOf([await follower.next()])).toEqual([2]);
    await follower.cancel();
  });

  it("delivers every offset once, in order, over the handover from history to live, while records are published", async () => {
    await node.append("handover", range(0, 50));
    const total = 50 + 60 * 3;
    const followers = range(0, 3).map(() => node.follow("handover"));
    const publishing = (async () => {
      for (const _round of range(0, 60)) await node.append("handover", [10, 20, 30]);
    })();
    await Promise.all(
      followers.map(async (follower) => {
        const offsets: number[] = [];
        while (offsets.length < total) offsets.push(...offsetsOf([await follower.next()]));
        expect(offsets).toEqual(range(0, total));
        await follower.cancel();
      }),
    );
    await publishing;
  });

  it("informs a live follower that left the tail, reads its pages from the database, and informs it when it is live again", async () => {
    await node.append("slow", [1]);
    const follower = node.follow("slow");
    await follower.until("caught-up");
    for (const _round of range(0, 20)) await node.append("slow", [400]);
    const messages = await follower.until("caught-up");
    expect(messages[0]).toMatchObject({ kind: "fell-behind", lag: 20, next: { offset: 1 } });
    expect(offsetsOf(messages)).toEqual(range(1, 21));
    await follower.cancel();
  });

  it("skips to the end when asked to, and reports what it missed", async () => {
    await node.append("skipping", [1]);
    const follower = node.follow("skipping", { whenBehind: "skip" });
    await follower.until("caught-up");
    for (const _round of range(0, 20)) await node.append("skipping", [400]);
    expect(await follower.next()).toMatchObject({
      kind: "skipped",
      reason: "behind",
      firstOffset: 1,
      nextOffset: 21,
      next: { offset: 21 },
    });
    await node.append("skipping", [1]);
    expect(offsetsOf([await follower.next()])).toEqual([21]);
    await follower.cancel();
  });

  it("fails with its position when asked to", async () => {
    await node.append("failing", [1]);
    const follower = node.follow("failing", { whenBehind: "fail" });
    await follower.until("caught-up");
    for (const _round of range(0, 20)) await node.append("failing", [400]);
    await expect(follower.next()).rejects.toMatchObject({
      code: "fell-behind",
      metadata: { offset: "1", next_offset: "21" },
    });
  });

  it("says why nothing is delivered", async () => {
    await node.append("quiet", [1]);
    const follower = node.follow("quiet", { start: { at: "latest" } });
    await follower.until("caught-up");
    expect(await follower.next()).toMatchObject({
      kind: "heartbeat",
      waiting: "new-records",
      nextOffset: 1,
      next: { offset: 1 },
    });
    expect(follower.stream.waiting).toBe("nothing");
    await follower.cancel();
  });

  it("delivers the rest of a closed topic, and then ends with that reason", async () => {
    await node.append("closing", [1, 1]);
    const live = node.follow("closing");
    await live.until("caught-up");
    await node.append("closing", [1]);
    await node.engine.topics.close("closing");
    const late = node.follow("closing");
    const messages = await live.until("closed");
    expect(offsetsOf(messages)).toEqual([2]);
    await expect(live.next()).rejects.toThrow("The follow has ended");
    expect(offsetsOf(await late.until("closed"))).toEqual([0, 1, 2]);
  });

  it("informs followers in history and live that their topic was deleted, even if its name exists again", async () => {
    const { epoch } = await node.append(
      "deleted",
      range(0, 40).map(() => 100),
    );
    const live = node.follow("deleted", { start: { at: "latest" } });
    await live.until("caught-up");
    const history = node.follow("deleted");
    await history.until("page");
    await node.engine.topics.delete("deleted", 0);
    await node.append("deleted", [1]);
    await expect(live.next()).rejects.toMatchObject({ code: "topic-deleted", metadata: { epoch: String(epoch) } });
    await expect(history.next()).rejects.toMatchObject({ code: "topic-deleted" });
    const position = { epoch, offset: 5 };
    await expect(node.follow("deleted", { start: { at: "position", position } }).next()).rejects.toMatchObject({
      code: "epoch-mismatch",
    });
  });

  it("refuses a follower whose next offset was trimmed, or skips and reports what", async () => {
    await node.append(
      "trimming",
      range(0, 30).map(() => 100),
    );
    const strict = node.follow("trimming");
    const skipping = node.follow("trimming", { whenTrimmed: "skip" });
    const before = offsetsOf(await skipping.until("page"));
    await strict.until("page");
    await node.engine.topics.trim("trimming", 20, 0);
    await expect(strict.next()).rejects.toMatchObject({
      code: "offset-out-of-range",
      metadata: { earliest_offset: "20" },
    });
    const after = await skipping.until("caught-up");
    expect(after[0]).toMatchObject({ kind: "skipped", reason: "trimmed", firstOffset: before.length, nextOffset: 20 });
    expect(offsetsOf(after)).toEqual(range(20, 30));
    await skipping.cancel();
  });

  it("ends at once when it is cancelled in a wait", async () => {
    await node.append("cancelled", [1]);
    const follower = node.follow("cancelled");
    await follower.until("caught-up");
    const waiting = follower.next();
    const cancelled = follower.cancel();
    await expect(waiting).rejects.toThrow("cancelled");
    await cancelled;
  });
});

it("Engine.follow() reports its position after the first records that its filter leaves out, on a node that has just begun", async () => {
  const database = await createTestDatabase("postgres");
  // Its monotonic clock begins at 0, and stands still.
  const node = await openTestEngine(await database.openStore(), { clock: createSimulatedClock() });
  await node.append("quiet", [1]);
  const follower = node.follow("quiet", { start: undefined, filter: parseFilter('key == "never"') });
  await follower.until("caught-up");
  await node.append("quiet", [1, 1]);
  expect(await follower.next()).toMatchObject({ kind: "page", records: 0, next: { offset: 3 } });
  await follower.cancel();
  await node.engine.close();
  await database.drop();
});
