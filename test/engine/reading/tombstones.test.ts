import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Engine } from "../../../src/engine/index.js";
import type { Store } from "../../../src/store/index.js";
import { createTestDatabase, databaseKinds, type TestDatabase } from "../../support/database.js";
import { openTestEngine } from "../../support/open-engine.js";
import {
  appendKeyed,
  applyRecords,
  createKeyed,
  type KeyedRecord,
  listedState,
  type State,
  TestWatcher,
} from "../keyed-topics.js";

/** A page has about two records, so anything may happen between any two. */
const smallPages = { pageBytesMin: 100, pageBytesMax: 100 };

describe.each(databaseKinds)("Tombstones on %s", (kind) => {
  let database: TestDatabase;
  let store: Store;
  let engine: Engine;
  let topics = 0;

  beforeAll(async () => {
    database = await createTestDatabase(kind);
    store = await database.openStore();
    ({ engine } = await openTestEngine(store, smallPages));
  });
  afterAll(async () => {
    await engine.close();
    await database.drop();
  });

  async function newTopic(): Promise<string> {
    topics += 1;
    const name = `tombstones-${topics}`;
    await createKeyed(engine, name);
    return name;
  }

  const set = (key: string, text = key): KeyedRecord => ({ key, text });
  const remove = (key: string): KeyedRecord => ({ key, text: undefined });
  const letters = ["a", "b", "c", "d", "e", "f", "g", "h"];

  /** Purges up to `count` tombstones of a topic, as housekeeping does once they are old. */
  async function purge(topic: string, count = 1000): Promise<number> {
    const { topicId } = (await store.findTopic(topic))!.head;
    return store.purgeTombstones({ topicId, untilMicros: Number.MAX_SAFE_INTEGER }, count);
  }

  test("a watch that resumes from below a purge is reset", async () => {
    const topic = await newTopic();
    await appendKeyed(
      engine,
      topic,
      letters.map((key) => set(key)),
    );
    const watcher = new TestWatcher(engine, topic);
    await watcher.until("snapshot-end");
    await watcher.leave();
    await appendKeyed(engine, topic, [remove("a"), remove("b"), set("c", "later")]);
    expect(await purge(topic)).toBe(2);
    await watcher.resume();
    expect(watcher.state.has("a")).toBe(true);
    await watcher.pull();
    expect(watcher.kinds.at(-1)).toBe("reset");
    await watcher.until("snapshot-end");
    expect(watcher.state).toEqual(await listedState(engine, topic));
    expect(watcher.state.size).toBe(6);
    // If it is interrupted before it received everything, it is reset again; afterwards it is not.
    await watcher.leave();
    const began = watcher.kinds.length;
    await watcher.resume();
    await watcher.until("snapshot-end");
    expect(watcher.kinds.slice(began)).toEqual(["snapshot-end"]);
    await watcher.leave();
  });

  test("a resume from the position of a reset is a reset", async () => {
    const topic = await newTopic();
    await appendKeyed(engine, topic, [set("a"), remove("a"), set("b")]);
    await purge(topic);
    const watcher = new TestWatcher(engine, topic, { start: { epoch: 0, offset: 1 } });
    await watcher.pull();
    await watcher.resume();
    await watcher.pull();
    await watcher.pull();
    await watcher.resume();
    await watcher.until("snapshot-end");
    expect(watcher.kinds).toEqual(["reset", "reset", "page", "snapshot-end"]);
    expect(watcher.state).toEqual(new Map([["b", "b"]]));
    await watcher.leave();
  });

  test("a purge between two pages of a resumed watch resets it", async () => {
    const topic = await newTopic();
    await appendKeyed(
      engine,
      topic,
      letters.map((key) => set(key)),
    );
    const watcher = new TestWatcher(engine, topic);
    await watcher.until("snapshot-end");
    await watcher.leave();
    await appendKeyed(engine, topic, [...letters.map((key) => set(key, "again")), remove("h")]);
    await watcher.resume();
    await watcher.pull();
    expect(watcher.kinds.at(-1)).toBe("page");
    expect(watcher.state.get("h")).toBe("h");
    await purge(topic);
    await watcher.until("snapshot-end");
    expect(watcher.kinds).toContain("reset");
    expect(watcher.state).toEqual(await listedState(engine, topic));
    await watcher.leave();
  });

  test.each([undefined, { south: -90, west: -180, north: 90, east: 180 }])(
    "a purge of what a snapshot has delivered resets it (rectangle %j)",
    async (rectangle) => {
      const topic = await newTopic();
      const place = rectangle === undefined ? undefined : { latitude: 1, longitude: 1 };
      await appendKeyed(
        engine,
        topic,
        letters.map((key) => ({ ...set(key), place })),
      );
      const watcher = new TestWatcher(engine, topic, { rectangle });
      await watcher.pull();
      expect(watcher.state.has("a")).toBe(true);
      await appendKeyed(engine, topic, [remove("a")]);
      await purge(topic);
      await watcher.until("snapshot-end");
      expect(watcher.kinds).toContain("reset");
      expect(watcher.state).toEqual(await listedState(engine, topic));
      await watcher.leave();
    },
  );

  test("a purge of what a watch has passed, or does not want, does not affect it", async () => {
    const topic = await newTopic();
    await appendKeyed(engine, topic, [...letters.map((key) => set(key)), remove("a")]);
    const live = new TestWatcher(engine, topic);
    await live.until("snapshot-end");
    const collecting = new TestWatcher(engine, topic, { start: { epoch: 0, offset: 0 }, withoutTombstones: true });
    await appendKeyed(engine, topic, [remove("b")]);
    await live.until("page");
    expect(await purge(topic)).toBe(2);
    await appendKeyed(engine, topic, [set("c", "later")]);
    await live.until("page");
    await collecting.until("snapshot-end");
    expect(live.state).toEqual(await listedState(engine, topic));
    expect([...live.kinds, ...collecting.kinds]).not.toContain("reset");
    await live.leave();
    await collecting.leave();
  });

  test("housekeeping purges only tombstones that are older than their lifetime", async () => {
    const topic = await newTopic();
    await appendKeyed(engine, topic, [set("a"), remove("a"), set("b")]);
    const tombstonesFrom = async () => (await store.findTopic(topic))!.head.tombstonesFrom;
    await engine.topics.trim(topic, 1, 0);
    const second = await openTestEngine(store, { ...smallPages, tombstoneLifetimeMs: 0 });
    await expect.poll(tombstonesFrom, { interval: 10 }).toBe(2);
    await second.engine.close();
  });

  test("watchers that leave and resume end with the state, whatever is purged meanwhile", async () => {
    const key = fc.constantFrom("a", "b", "c", "d", "e");
    const record = fc.record({ key, isRemoved: fc.boolean() });
    const operation = fc.oneof(
      {
        weight: 3,
        arbitrary: fc.record({
          kind: fc.constant("append" as const),
          records: fc.array(record, { minLength: 1, maxLength: 4 }),
        }),
      },
      { weight: 4, arbitrary: fc.record({ kind: fc.constant("pull" as const), watcher: fc.nat(1) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("resume" as const), watcher: fc.nat(1) }) },
      {
        weight: 1,
        arbitrary: fc.record({ kind: fc.constant("purge" as const), count: fc.integer({ min: 1, max: 4 }) }),
      },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 5, maxLength: 30 }), async (operations) => {
        const topic = await newTopic();
        const model: State = new Map();
        let written = 0;
        const watchers = [new TestWatcher(engine, topic), new TestWatcher(engine, topic)] as const;
        // How many messages each may take without waiting: a live watcher that has everything would wait.
        const isUpToDate = [false, false];
        for (const each of operations) {
          if (each.kind === "append") {
            const records = each.records.map(({ key: name, isRemoved }) => ({
              key: name,
              text: isRemoved ? undefined : `${(written += 1)}`,
            }));
            await appendKeyed(engine, topic, records);
            applyRecords(model, records);
            isUpToDate.fill(false);
          } else if (each.kind === "purge") await purge(topic, each.count);
          else if (each.kind === "resume") {
            if (watchers[each.watcher]!.kinds.length === 0) continue;
            await watchers[each.watcher]!.resume();
            isUpToDate[each.watcher] = false;
          } else if (!isUpToDate[each.watcher]) {
            const watcher = watchers[each.watcher]!;
            await watcher.pull();
            isUpToDate[each.watcher] = watcher.isAt(await headOf(topic));
          }
        }
        await engine.topics.close(topic);
        for (const watcher of watchers) {
          await watcher.until("closed");
          expect(watcher.state).toEqual(model);
        }
        expect(await listedState(engine, topic)).toEqual(model);
      }),
      { numRuns: 40 },
    );
  });

  async function headOf(topic: string): Promise<number> {
    return (await store.findTopic(topic))!.head.nextOffset;
  }
});
