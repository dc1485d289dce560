import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ReadCommand } from "../../../src/engine/index.js";
import { parseFilter } from "../../../src/filter/index.js";
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

  const pastTime = { at: "time", timeMicros: 1 } as const;
  const futureTime = { at: "time", timeMicros: 9e15 } as const;
  const someOffsets = parseFilter("offset >= 20 && offset < 60");
  it.each<[string, Partial<ReadCommand>, number]>([
    ["everything", {}, 100],
    ["a limit", { limit: 5 }, 100],
    ["nothing", { start: { at: "latest" } }, 100],
    ["to an offset", { until: { at: "offset", offset: 90 } }, 90],
    ["to an offset above the end", { until: { at: "offset", offset: 500 } }, 100],
    ["to an offset below the start", { start: { at: "offset", offset: 42 }, until: { at: "offset", offset: 10 } }, 10],
    ["to a time before all", { until: pastTime }, 0],
    ["to a time after all", { until: futureTime }, 100],
    ["what a filter allows", { filter: someOffsets }, 100],
    ["what a filter allows, to an offset", { filter: someOffsets, until: { at: "offset", offset: 90 } }, 90],
    ["backward", { direction: "backward" }, 0],
    ["backward to an offset", { direction: "backward", until: { at: "offset", offset: 40 } }, 40],
    ["backward to a time before all", { direction: "backward", until: pastTime }, 0],
    ["backward to a time after all", { direction: "backward", until: futureTime }, 100],
    ["backward what a filter allows", { direction: "backward", filter: someOffsets }, 0],
    ["the newest, backward", { direction: "backward", start: { at: "last", count: 70 } }, 30],
    [
      "the newest that a filter allows, backward",
      { direction: "backward", start: { at: "last", count: 70 }, filter: someOffsets },
      30,
    ],
  ])(
    "reports only in its first message where it ends, and ends there when it is resumed: %s",
    async (name, more, end) => {
      const topic = `ends/${kind}/${name.replaceAll(/\W/g, "-")}`;
      for (const batch of range(0, 5)) {
        await node.append(
          topic,
          range(0, 20).map((index) => (batch * index * 7) % 300),
        );
      }
      const whole = await node.read(topic, more);
      expect(whole.ends).toEqual(whole.kinds.map((_, index) => (index === 0 ? end : undefined)));
      // Resumed in the middle, and from its last position, while the topic has grown.
      await node.append(topic, range(0, 3));
      const half = Math.ceil(whole.offsets.length / 2);
      const limit = more.limit ?? 0;
      const isForward = more.direction !== "backward";
      const passed = half === 0 ? undefined : whole.offsets[half - 1];
      const places = passed === undefined ? [] : [{ offset: isForward ? passed + 1 : passed, rest: half }];
      if (limit === 0) places.push({ offset: whole.next, rest: whole.offsets.length });
      for (const { offset, rest } of places) {
        const resumed = await node.read(topic, {
          ...more,
          start: { at: "position", position: { epoch: 0, offset } },
          until: { at: "offset", offset: end },
          limit: limit === 0 ? 0 : limit - half,
        });
        expect(resumed.offsets).toEqual(whole.offsets.slice(rest));
        expect(resumed.next).toBe(whole.next);
        expect(resumed.ends[0]).toBe(end);
      }
    },
  );

  it("reports an end at 0 for a topic without records", async () => {
    await node.engine.topics.create({
      name: "without-records",
      labels: new Map(),
      limits: { recordBytes: 0, batchRecords: 0, batchBytes: 0 },
      keyed: false,
      retention: { ageMs: 0, records: 0, bytes: 0 },
    });
    expect(await node.read("without-records")).toEqual({ offsets: [], kinds: ["page"], ends: [0], next: 0 });
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

  it("grows its pages with what was delivered, and never above the largest", async () => {
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

  it("refuses trimmed offsets, or skips them and reports that", async () => {
    await node.append("trimmed", range(0, 10));
    await node.engine.topics.trim("trimmed", 6, 0);
    await expect(node.read("trimmed", { start: { at: "offset", offset: 2 } })).rejects.toMatchObject({
      code: "offset-out-of-range",
      metadata: { earliest_offset: "6" },
    });
    const skipped = await node.read("trimmed", { start: { at: "offset", offset: 2 }, whenTrimmed: "skip" });
    expect(skipped).toEqual({
      offsets: [6, 7, 8, 9],
      kinds: ["skipped", "page"],
      ends: [10, undefined],
      next: 10,
    });
    expect((await node.read("trimmed", { direction: "backward" })).offsets).toEqual([9, 8, 7, 6]);
  });

  it("refuses a missing topic, and creates none", async () => {
    await expect(node.read("missing")).rejects.toMatchObject({ code: "topic-not-found" });
    await expect(node.engine.topics.get("missing")).rejects.toMatchObject({ code: "topic-not-found" });
  });
});
