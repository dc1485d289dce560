import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestDatabase, databaseKinds, type TestDatabase } from "../../support/database.js";
import { openTestEngine, range, type TestEngine } from "../../support/open-engine.js";

describe.each(databaseKinds)("Engine.read() on %s", (kind) => {
  let database: TestDatabase;
  let node: TestEngine;
  let epoch: number;

  beforeAll(async () => {
    database = await createTestDatabase(kind);
    node = await openTestEngine(await database.openStore(), { pageBytesMin: 1024, pageBytesMax: 4096 });
    for (const batch of range(0, 5)) {
      ({ epoch } = await node.append(
        "hundred",
        range(0, 20).map((index) => (batch * index * 7) % 300),
      ));
    }
  });
  afterAll(async () => {
    await node.engine.close();
    await database.drop();
  });

  it.each([
    ["everything by default", {}, range(0, 100), 100],
    ["from an offset", { start: { at: "offset", offset: 42 } }, range(42, 100), 100],
    ["from a position", { start: { at: "position", position: { epoch: 0, offset: 97 } } }, range(97, 100), 100],
    ["the newest", { start: { at: "last", count: 3 } }, range(97, 100), 100],
    ["at most a limit", { limit: 5 }, range(0, 5), 5],
    ["until an offset", { until: { at: "offset", offset: 10 } }, range(0, 10), 10],
    ["nothing from the end", { start: { at: "latest" } }, [], 100],
    ["backward from the end", { direction: "backward" }, range(0, 100).toReversed(), 0],
    ["backward from an offset, exclusive", { direction: "backward", start: { at: "offset", offset: 3 } }, [2, 1, 0], 0],
    [
      "backward until an offset, inclusive",
      { direction: "backward", until: { at: "offset", offset: 98 } },
      [99, 98],
      98,
    ],
    ["the newest, backward", { direction: "backward", start: { at: "last", count: 2 } }, [99, 98], 98],
    ["backward at most a limit", { direction: "backward", limit: 70 }, range(30, 100).toReversed(), 30],
    ["nothing before any time", { until: { at: "time", timeMicros: 1 } }, [], 0],
    ["from a time before all", { start: { at: "time", timeMicros: 1 } }, range(0, 100), 100],
    ["nothing from a time after all", { start: { at: "time", timeMicros: 9e15 } }, [], 100],
  ] as const)("reads %s", async (_name, command, offsets, next) => {
    const result = await node.read("hundred", command);
    expect(result.offsets).toEqual(offsets);
    expect(result.next).toBe(next);
  });

  it("finds a start by time between two batches", async () => {
    await node.append("timed", [1, 1]);
    const early = (await node.engine.topics.get("timed")).head.lastTimeMicros;
    await expect.poll(() => Date.now() * 1000, { interval: 1 }).toBeGreaterThan(early + 2000);
    await node.append("timed", [1, 1, 1]);
    const late = (await node.engine.topics.get("timed")).head.lastTimeMicros;
    const from = async (timeMicros: number) =>
      (await node.read("timed", { start: { at: "time", timeMicros } })).offsets;
    expect(await from(early)).toEqual([0, 1, 2, 3, 4]);
    expect(await from(early + 1)).toEqual([2, 3, 4]);
    expect(await from(late)).toEqual([2, 3, 4]);
    expect(await from(late + 1)).toEqual([]);
    expect((await node.read("timed", { until: { at: "time", timeMicros: late } })).offsets).toEqual([0, 1]);
  });

  it("grows its pages as they are earned, and never above the largest", async () => {
    await node.append(
      "earned",
      range(0, 900).map(() => 1000),
    );
    const { kinds, offsets } = await node.read("earned");
    expect(offsets).toEqual(range(0, 900));
    // 1 KiB pages until 64 KiB were delivered; 4 KiB from 256 KiB on.
    expect(kinds.length).toBeLessThan(600);
    expect(kinds.length).toBeGreaterThan(900 / 4);
  });

  it("refuses a position of another epoch, and one above the end", async () => {
    const position = { epoch: epoch + 1, offset: 1 };
    await expect(node.read("hundred", { start: { at: "position", position } })).rejects.toMatchObject({
      code: "epoch-mismatch",
    });
    await expect(node.read("hundred", { start: { at: "offset", offset: 101 } })).rejects.toMatchObject({
      code: "offset-out-of-range",
      metadata: { offset: "101", earliest_offset: "0", next_offset: "100" },
    });
  });

  it("refuses what was trimmed, or skips it and says so", async () => {
    await node.append("trimmed", range(0, 10));
    await node.engine.topics.trim("trimmed", 6, 0);
    await expect(node.read("trimmed", { start: { at: "offset", offset: 2 } })).rejects.toMatchObject({
      code: "offset-out-of-range",
      metadata: { earliest_offset: "6" },
    });
    const skipped = await node.read("trimmed", { start: { at: "offset", offset: 2 }, whenTrimmed: "skip" });
    expect(skipped).toEqual({ offsets: [6, 7, 8, 9], kinds: ["skipped", "page"], next: 10 });
    expect((await node.read("trimmed", { direction: "backward" })).offsets).toEqual([9, 8, 7, 6]);
  });

  it("refuses a topic that is not there, and creates none", async () => {
    await expect(node.read("missing")).rejects.toMatchObject({ code: "topic-not-found" });
    await expect(node.engine.topics.get("missing")).rejects.toMatchObject({ code: "topic-not-found" });
  });
});
