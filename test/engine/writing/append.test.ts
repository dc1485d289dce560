import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { noRetention } from "../../../src/core/index.js";
import type { Store } from "../../../src/store/index.js";
import { createTestDatabase, databaseKinds, runOn, type TestDatabase } from "../../support/database.js";
import { openTestEngine, range, type TestEngine } from "../../support/open-engine.js";

describe.each(databaseKinds)("Engine.append() on %s", (kind) => {
  let database: TestDatabase;
  let store: Store;
  let node: TestEngine;

  beforeAll(async () => {
    database = await createTestDatabase(kind);
    store = await database.openStore();
    node = await openTestEngine(store);
  });
  afterAll(async () => {
    await node.engine.close();
    await database.drop();
  });

  it("creates the topic, and assigns offsets from 0 on without a gap", async () => {
    expect(await node.append("first", [1, 2])).toMatchObject({ firstOffset: 0, nextOffset: 2, isRepeated: false });
    expect(await node.append("first", [3])).toMatchObject({ firstOffset: 2, nextOffset: 3 });
    expect((await node.read("first")).offsets).toEqual([0, 1, 2]);
  });

  it("commits waiting batches together: gapless, and each batch in one piece", async () => {
    const acks = await Promise.all(
      Array.from({ length: 200 }, (_, index) => node.append("grouped", range(0, 1 + (index % 3)))),
    );
    const ranges = acks
      .map(({ firstOffset, nextOffset }) => [firstOffset, nextOffset] as const)
      .toSorted((a, b) => a[0] - b[0]);
    let next = 0;
    for (const [first, end] of ranges) {
      expect(first).toBe(next);
      next = end;
    }
    expect((await node.read("grouped")).offsets).toEqual(range(0, next));
  });

  it("refuses another offset than expected, and returns the right one", async () => {
    await node.append("expected", [1, 1], { expectedOffset: 0 });
    await expect(node.append("expected", [1], { expectedOffset: 1 })).rejects.toMatchObject({
      code: "offset-mismatch",
      message: 'Cannot append to topic "expected" at offset 1: it ends at 2',
      metadata: { next_offset: "2" },
    });
    await node.append("expected", [1], { expectedOffset: 2 });
  });

  it("acknowledges a producer's repeat again, with its first offsets", async () => {
    const producer = { id: "p", generation: 0, sequence: 0 };
    const first = await node.append("idempotent", [1, 1], { producer });
    await node.append("idempotent", [1], { producer: { ...producer, sequence: 1 } });
    expect(await node.append("idempotent", [1, 1], { producer })).toEqual({ ...first, isRepeated: true });
    await expect(node.append("idempotent", [1], { producer: { ...producer, sequence: 3 } })).rejects.toMatchObject({
      code: "producer-gap",
      metadata: { expected_sequence: "2" },
    });
    await node.append("idempotent", [1], { producer: { id: "p", generation: 1, sequence: 0 } });
    await expect(node.append("idempotent", [1], { producer: { ...producer, sequence: 2 } })).rejects.toMatchObject({
      code: "producer-fenced",
      metadata: { expected_generation: "1" },
    });
    expect((await node.read("idempotent")).offsets).toEqual(range(0, 4));
  });

  it("refuses a closed topic and another epoch", async () => {
    const { epoch } = await node.append("sealed", [1]);
    await expect(node.append("sealed", [1], { epoch: epoch + 1 })).rejects.toMatchObject({ code: "epoch-mismatch" });
    await node.engine.topics.close("sealed");
    await expect(node.append("sealed", [1], { epoch })).rejects.toMatchObject({ code: "topic-closed" });
  });

  it("continues in the new topic when its topic was deleted, and refuses a publish pinned to the old one", async () => {
    const { epoch } = await node.append("reborn", [1, 1]);
    await node.engine.topics.delete("reborn", 0);
    const again = await node.append("reborn", [1]);
    expect(again).toMatchObject({ firstOffset: 0, nextOffset: 1 });
    expect(again.epoch).not.toBe(epoch);
    await expect(node.append("reborn", [1], { epoch })).rejects.toMatchObject({ code: "epoch-mismatch" });
  });

  it("applies a topic's own limits", async () => {
    await node.engine.topics.create({
      name: "narrow",
      labels: new Map(),
      limits: { recordBytes: 100, batchRecords: 2, batchBytes: 0 },
      retention: noRetention,
      keyed: false,
    });
    await expect(node.append("narrow", [200])).rejects.toMatchObject({ code: "invalid-argument" });
    await expect(node.append("narrow", [1, 1, 1])).rejects.toMatchObject({ code: "invalid-argument" });
    await node.engine.topics.update("narrow", { limits: { batchRecords: 3 } });
    await node.append("narrow", [1, 1, 1]);
  });

  it("lists no names by a prefix that no name can have", async () => {
    for (const request of [
      { prefix: "a\u0000", after: "" },
      { prefix: "", after: "\u0000" },
      { prefix: "A", after: "" },
    ]) {
      await expect(node.engine.topics.list({ ...request, count: 1 })).rejects.toMatchObject({
        code: "invalid-argument",
      });
    }
  });

  it("does not append a batch that was aborted before its turn", async () => {
    const abort = new AbortController();
    const under = node.append("withdrawn", [1]);
    const gone = node.append("withdrawn", [1, 1], { signal: abort.signal });
    abort.abort(new Error("gone"));
    await expect(gone).rejects.toThrow("gone");
    await under;
    await node.append("withdrawn", [1]);
    expect((await node.read("withdrawn")).offsets.length).toBeLessThanOrEqual(4);
  });

  it("refuses with a retry delay when the topic's queue stays full", async () => {
    const busy = await openTestEngine(store, {
      publishTopicBytes: 64,
      publishNodeBytes: 64,
      appendWaitMs: 20,
      laneQueue: 9,
    });
    await busy.append("full", [200]);
    const outcomes = await Promise.allSettled(range(0, 40).map(() => busy.append("full", [200])));
    await busy.engine.close();
    const refused = outcomes.filter((outcome) => outcome.status === "rejected");
    expect(refused.length).toBeGreaterThan(0);
    for (const { reason } of refused)
      expect(reason).toMatchObject({ code: "publish-budget-exceeded", retryDelayMs: 250 });
    const kept = (await node.read("full")).offsets;
    expect(kept).toEqual(range(0, 41 - refused.length));
  });

  it("refuses to create more topics by publishing than allowed, and none when that is off", async () => {
    const strict = await openTestEngine(store, { autoCreatedTopics: 1 });
    await expect(strict.append("one-too-many", [1])).rejects.toMatchObject({ code: "topic-limit" });
    const off = await openTestEngine(store, { autoCreate: false });
    await expect(off.append("not-there", [1])).rejects.toMatchObject({ code: "topic-not-found" });
    await Promise.all([strict.engine.close(), off.engine.close()]);
  });

  it("lets the clients of one address create a limited number of topics, and those of others more", async () => {
    const shared = await openTestEngine(store, { autoCreatedTopicsPeer: 2 });
    const publishTo = (topic: string, peer: string) => shared.append(topic, [1], { peer });
    await publishTo("by-peer/1", "10.0.0.1:4001");
    await publishTo("by-peer/2", "10.0.0.1:4002");
    await expect(publishTo("by-peer/3", "10.0.0.1:4003")).rejects.toMatchObject({
      code: "topic-limit",
      message: expect.stringMatching(/2 were created by clients of this address.*_PEER\)\. Create it with/) as string,
    });
    // Anyone may publish to an existing topic.
    await publishTo("by-peer/1", "10.0.0.1:4003");
    await publishTo("by-peer/3", "[2001:db8::1]:4001");
    await publishTo("by-peer/3", "10.0.0.1:4003");
    const atOnce = range(0, 10).map((number) => publishTo(`by-peer/at-once/${number}`, `10.0.0.2:${4000 + number}`));
    const outcomes = await Promise.allSettled(atOnce);
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(2);
    // A topic that is refused for another reason is not counted.
    const full = await openTestEngine(store, { autoCreatedTopics: 0, autoCreatedTopicsPeer: 1 });
    for (const name of ["by-peer/full/1", "by-peer/full/2"]) {
      await expect(full.append(name, [1], { peer: "10.0.0.3:1" })).rejects.toMatchObject({
        message: expect.stringContaining("0 were created that way") as string,
      });
    }
    await Promise.all([shared.engine.close(), full.engine.close()]);
  });
});

describe("Engine.append() from two nodes on one Postgres", () => {
  it("keeps one topic gapless, with no batch torn, and every acknowledgement true", async () => {
    const database = await createTestDatabase("postgres");
    const nodes = await Promise.all([0, 1].map(async () => openTestEngine(await database.openStore())));
    const sent: { first: number; next: number }[] = [];
    await Promise.all(
      range(0, 8).map(async (publisher) => {
        const node = nodes[publisher % 2] as TestEngine;
        for (const round of range(0, 25)) {
          const ack = await node.append("shared", range(0, 1 + (round % 4)), {
            producer: { id: `p${publisher}`, generation: 0, sequence: round },
          });
          sent.push({ first: ack.firstOffset, next: ack.nextOffset });
        }
      }),
    );
    sent.sort((a, b) => a.first - b.first);
    let next = 0;
    for (const ack of sent) {
      expect(ack.first).toBe(next);
      next = ack.next;
    }
    expect((await (nodes[0] as TestEngine).read("shared")).offsets).toEqual(range(0, next));
    for (const node of nodes) await node.engine.close();
    await database.drop();
  });

  it("shows a follower on one node what the other appended", async () => {
    const database = await createTestDatabase("postgres");
    const [here, there] = await Promise.all(
      [0, 1].map(async () => openTestEngine(await database.openStore(), { headPollMs: 20 })),
    );
    await here?.append("far", [1]);
    const follower = here?.follow("far");
    await follower?.until("caught-up");
    await there?.append("far", [1, 1]);
    const [page] = (await follower?.until("page")) ?? [];
    expect(page?.next.offset).toBe(3);
    await follower?.cancel();
    await Promise.all([here?.engine.close(), there?.engine.close()]);
    await database.drop();
  });
});

describe("Engine when rows are missing", () => {
  it("ends a reader with data-loss, instead of skipping them or retrying for ever", async () => {
    const database = await createTestDatabase("postgres");
    const node = await openTestEngine(await database.openStore());
    for (let block = 0; block < 3; block++) await node.append("holed", [1]);
    if (database.connection.kind !== "postgres") throw new Error("Not on Postgres");
    for (const offset of [1, 0]) {
      await runOn(database.connection.url, `delete from millrace.blocks where first_offset = ${offset}`);
      await expect(node.read("holed")).rejects.toMatchObject({
        code: "data-loss",
        metadata: { offset: String(offset) },
      });
      await expect(node.read("holed", { direction: "backward" })).rejects.toMatchObject({ code: "data-loss" });
      await expect(node.follow("holed").until("caught-up")).rejects.toMatchObject({ code: "data-loss" });
    }
    await node.engine.close();
    await database.drop();
  });
});

describe("Engine when Postgres was restored from a backup", () => {
  it("ends followers with data-loss, and gives the topic a new epoch", async () => {
    const database = await createTestDatabase("postgres");
    const node = await openTestEngine(await database.openStore(), { headPollMs: 20 });
    const { epoch } = await node.append("restored", [1]);
    await node.append("restored", [1, 1]);
    const follower = node.follow("restored");
    await follower.until("caught-up");
    if (database.connection.kind !== "postgres") throw new Error("Not on Postgres");
    await runOn(database.connection.url, "delete from millrace.blocks where first_offset = 1");
    await expect(follower.next()).rejects.toMatchObject({ code: "data-loss" });
    await follower.cancel();
    await expect
      .poll(async () => (await node.engine.topics.get("restored")).head.epoch, { interval: 10 })
      .not.toBe(epoch);
    await node.engine.close();
    await database.drop();
  });
});
