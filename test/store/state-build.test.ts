import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { BuildChange, Head, StateChange, Store } from "../../src/store/index.js";
import { createTestDatabase, databaseKinds, type TestDatabase } from "../support/database.js";
import { createdTopic, frameOf, headOf, splitFrames, textOf, writeAfter } from "./topic-writes.js";

const everything = { records: 1000, bytes: 1_000_000 };

/** Records are texts: `key=…` sets a key, `key-…` removes it. */
function changesIn(frames: Uint8Array): BuildChange[] {
  const changes = new Map<string, BuildChange>();
  for (const [index, frame] of splitFrames(frames).entries()) {
    const [, key = "", sign] = /^(\w+)([=-])/.exec(textOf(frame)) ?? [];
    const isTombstone = sign === "-";
    if (key !== "none") changes.set(key, { key, index, isTombstone, place: undefined, timeMicros: 1_000_000 });
  }
  return [...changes.values()];
}

describe.each(databaseKinds)("Building a state on %s", (kind) => {
  let database: TestDatabase;
  let store: Store;
  let topics = 0;

  beforeAll(async () => {
    database = await createTestDatabase(kind);
    store = await database.openStore();
  });
  afterAll(() => database.drop());

  async function newTopic(keyed = false): Promise<number> {
    topics += 1;
    return (await createdTopic(store, `build-${topics}`, { keyed })).head.topicId;
  }

  /** Appends texts as an appender does that knows the head: with a state if the topic keeps one. */
  async function append(topicId: number, texts: readonly string[], timeMicros = 1_000_000): Promise<Head> {
    const head = await headOf(store, topicId);
    const frames = texts.map((text) => frameOf(text));
    const state: StateChange[] = head.keyed ? changesIn(Buffer.concat(frames)) : [];
    expect(await store.append(writeAfter(head, frames, { state, timeMicros }))).toBe("appended");
    return headOf(store, topicId);
  }

  /** The state in the order of its changes, tombstones too. */
  async function changesOf(topicId: number): Promise<string[]> {
    const read = await store.readStateChanges({ topicId, prefix: "", from: 0, tombstonesFrom: 0, ...everything });
    return read?.page === undefined ? [] : splitFrames(read.page.frames).map(textOf);
  }

  const build = (topicId: number, records = 1000, bytes = 1_000_000) =>
    store.buildState({ topicId, records, bytes }, changesIn);

  async function buildWhole(topicId: number, records?: number): Promise<void> {
    while ((await build(topicId, records)) === "moved");
  }

  test("updateTopic(), turns a topic keyed once, and appends that were decided before write nothing", async () => {
    const topicId = await newTopic();
    const before = await append(topicId, ["a=0", "b=1", "a=2"]);
    expect(before).toMatchObject({ keyed: false, tombstonesFrom: 0 });
    const turned = await store.updateTopic(topicId, { keyed: true });
    const stateBuild = { fromOffset: 3, nextOffset: 3, untilOffset: 0 };
    expect(turned).toMatchObject({ head: { keyed: true, version: before.version + 1, tombstonesFrom: 3 }, stateBuild });
    expect(await store.append(writeAfter(before, [frameOf("a=late")]))).toBe("moved");
    expect((await store.updateTopic(topicId, { keyed: true }))?.head.version).toBe(before.version + 1);
    expect((await store.findTopic(`build-${topics}`))?.stateBuild).toEqual(stateBuild);
    const listed = await store.listTopics({ prefix: `build-${topics}`, after: "", count: 1 });
    expect(listed[0]?.stateBuild).toEqual(stateBuild);
    const empty = await store.updateTopic(await newTopic(), { keyed: true });
    expect(empty).toMatchObject({ head: { keyed: true }, stateBuild: undefined });
  });

  test("buildState(), goes down in bounded steps, never replaces a newer record, and ends once", async () => {
    const topicId = await newTopic();
    await append(topicId, ["a=0", "b=1", "none=2", "c=3", "b-4", "d=5"]);
    await store.updateTopic(topicId, { keyed: true });
    await append(topicId, ["a=6", "d-7"]);
    expect(await store.findBuilds(10)).toContain(topicId);
    expect(await build(topicId, 2)).toBe("moved");
    expect(await store.findTopic(`build-${topics}`)).toMatchObject({
      head: { tombstonesFrom: 6 },
      stateBuild: { fromOffset: 6, nextOffset: 4, untilOffset: 0 },
    });
    expect(await changesOf(topicId)).toEqual(["b-4", "a=6", "d-7"]);
    // One record is always taken, however few bytes are allowed.
    expect(await build(topicId, 1000, 1)).toBe("moved");
    expect((await store.findTopic(`build-${topics}`))?.stateBuild?.nextOffset).toBe(3);
    await buildWhole(topicId);
    expect(await changesOf(topicId)).toEqual(["c=3", "b-4", "a=6", "d-7"]);
    expect(await store.findTopic(`build-${topics}`)).toMatchObject({
      head: { tombstonesFrom: 0 },
      stateBuild: undefined,
    });
    expect(await build(topicId)).toBe("elsewhere");
    expect(await store.findBuilds(10)).not.toContain(topicId);
  });

  test("buildState(), on several nodes at once, takes each step once", async () => {
    const topicId = await newTopic();
    const texts = Array.from({ length: 100 }, (_, index) => `k${index % 70}=${index}`);
    await append(topicId, texts);
    await store.updateTopic(topicId, { keyed: true });
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => build(topicId, 10)));
    const moved = outcomes.filter((outcome) => outcome === "moved").length;
    expect(moved).toBeGreaterThan(0);
    expect(outcomes).not.toContain("whole");
    expect((await store.findTopic(`build-${topics}`))?.stateBuild?.nextOffset).toBe(100 - 10 * moved);
    await buildWhole(topicId, 10);
    expect(await changesOf(topicId)).toEqual(texts.slice(30));
  });

  test("buildState(), ends when its topic is deleted", async () => {
    const topicId = await newTopic();
    await append(topicId, ["a=0", "b=1", "c=2"]);
    await store.updateTopic(topicId, { keyed: true });
    expect(await build(topicId, 1)).toBe("moved");
    await store.deleteTopic(topicId);
    expect(await build(topicId, 1)).toBe("elsewhere");
    while ((await store.deleteOrphans(1)) > 0);
    expect(await store.findBuilds(10)).not.toContain(topicId);
  });

  test("states that are built beside appends and trims agree with a model", async () => {
    const key = fc.constantFrom("a", "b", "c", "d", "none");
    const record = fc.tuple(key, fc.constantFrom("=", "=", "-"));
    const operation = fc.oneof(
      fc.record({ kind: fc.constant("append" as const), records: fc.array(record, { minLength: 1, maxLength: 4 }) }),
      fc.record({ kind: fc.constant("step" as const), records: fc.integer({ min: 1, max: 4 }) }),
      fc.record({ kind: fc.constant("trim" as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
      fc.record({ kind: fc.constant("delete" as const), count: fc.integer({ min: 1, max: 5 }) }),
    );
    const before = fc.array(record, { minLength: 1, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(before, fc.array(operation, { maxLength: 12 }), async (first, operations) => {
        const topicId = await newTopic();
        const log: (readonly [string, string])[] = [];
        const textsOf = (records: typeof log) => {
          const from = log.push(...records) - records.length;
          return records.map(([name, sign], index) => `${name}${sign}${from + index}`);
        };
        let { earliestOffset } = await append(topicId, textsOf(first));
        await store.updateTopic(topicId, { keyed: true });
        const turnedAt = log.length;
        let next = turnedAt;
        for (const each of operations) {
          if (each.kind === "append") await append(topicId, textsOf(each.records));
          else if (each.kind === "delete") await store.deleteTrimmed({ topicId, count: each.count });
          else if (each.kind === "trim") {
            earliestOffset = Math.max(earliestOffset, Math.floor(log.length * each.share));
            await store.trimTopic(topicId, earliestOffset);
          } else if ((await build(topicId, each.records)) === "moved") {
            next = Math.max(earliestOffset, next - each.records);
          }
        }
        while ((await build(topicId, 3)) === "moved") next = Math.max(earliestOffset, next - 3);
        const model = new Map<string, string>();
        for (const [offset, [name, sign]] of log.entries()) {
          if (offset < next || name === "none") continue;
          // A `Map` keeps the place of a key's first entry, so the key is deleted first.
          model.delete(name);
          model.set(name, `${name}${sign}${offset}`);
        }
        expect(await changesOf(topicId)).toEqual([...model.values()]);
        const { tombstonesFrom } = await headOf(store, topicId);
        // Not below where the build read, and not above what the build or an append wrote.
        expect(tombstonesFrom).toBeGreaterThanOrEqual(Math.min(next, turnedAt));
        expect(tombstonesFrom).toBeLessThanOrEqual(turnedAt);
      }),
      { numRuns: 25 },
    );
  });

  test("buildState() and append(), with the same keys in opposite order, do not deadlock", async () => {
    const texts = Array.from({ length: 800 }, (_, index) => `k${String(index).padStart(3, "0")}=`);
    for (let round = 0; round < 4; round += 1) {
      const topicId = await newTopic();
      await append(topicId, texts);
      await store.updateTopic(topicId, { keyed: true });
      const newer = texts.toReversed().map((text) => `${text}newer`);
      expect(await Promise.all([build(topicId), append(topicId, newer)])).toMatchObject(["moved", { keyed: true }]);
      expect(await changesOf(topicId)).toEqual(newer);
    }
  });

  test("purgeTombstones(), deletes old tombstones, and stores from which offset on all remain", async () => {
    const topicId = await newTopic(true);
    await append(topicId, ["a=0", "a-1", "b-2"], 5_000);
    await append(topicId, ["c-3"], 6_000);
    await append(topicId, ["d-4", "e=5"], 9_000);
    expect(await store.findOldTombstones(5_000, 10)).toEqual([]);
    const old = await store.findOldTombstones(9_000, 10);
    expect(old).toEqual([{ topicId, untilMicros: 6_000 }]);
    expect(await store.findOldTombstones(9_000, 1)).toEqual([{ topicId, untilMicros: 5_000 }]);
    expect(await store.purgeTombstones(old[0]!, 2)).toBe(2);
    expect((await headOf(store, topicId)).tombstonesFrom).toBe(3);
    expect(await changesOf(topicId)).toEqual(["c-3", "d-4", "e=5"]);
    expect(await store.purgeTombstones(old[0]!, 2)).toBe(1);
    expect((await headOf(store, topicId)).tombstonesFrom).toBe(4);
    expect(await store.purgeTombstones(old[0]!, 2)).toBe(0);
    expect(await changesOf(topicId)).toEqual(["d-4", "e=5"]);
    // A key that was set again is no tombstone any more.
    await append(topicId, ["d=6"], 9_000);
    expect(await store.findOldTombstones(10_000, 10)).toEqual([]);
    expect(await store.purgeTombstones({ topicId: 999_999, untilMicros: 9_000 }, 2)).toBe(0);
  });

  test("purgeTombstones(), keeps those of a state that is being built, which may still add older records", async () => {
    const topicId = await newTopic();
    await append(topicId, ["a=0"], 3_000);
    await store.updateTopic(topicId, { keyed: true });
    await append(topicId, ["a-1"], 4_000);
    expect(await store.findOldTombstones(5_000, 10)).toEqual([]);
    expect(await store.purgeTombstones({ topicId, untilMicros: 5_000 }, 10)).toBe(0);
    await buildWhole(topicId);
    expect(await changesOf(topicId)).toEqual(["a-1"]);
    expect(await store.purgeTombstones({ topicId, untilMicros: 5_000 }, 10)).toBe(1);
    expect(await headOf(store, topicId)).toMatchObject({ tombstonesFrom: 2 });
  });
});
