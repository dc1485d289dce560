import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Engine } from "../../../src/engine/index.js";
import { createTestDatabase, databaseKinds, type TestDatabase } from "../../support/database.js";
import { openTestEngine } from "../../support/open-engine.js";
import { appendKeyed, createKeyed, listedState, TestWatcher } from "../keyed-topics.js";

const world = { south: -90, west: -180, north: 90, east: 180 };

describe.each(databaseKinds)("Watching a state on %s", (kind) => {
  let database: TestDatabase;
  let engine: Engine;
  /** Its pages have one record. */
  let small: Engine;

  beforeAll(async () => {
    database = await createTestDatabase(kind);
    const store = await database.openStore();
    ({ engine } = await openTestEngine(store, {}));
    ({ engine: small } = await openTestEngine(store, { pageBytesMin: 30, pageBytesMax: 30 }));
  });
  afterAll(async () => {
    await Promise.all([engine.close(), small.close()]);
    await database.drop();
  });

  test("delivers changes during its walk before it ends its snapshot", async () => {
    const topic = "walked";
    await createKeyed(small, topic);
    const set = (...keys: string[]) =>
      appendKeyed(
        small,
        topic,
        keys.map((key) => ({ key, text: `${key} of ${keys.length}` })),
      );
    await set("a", "b", "c", "d");
    const watcher = new TestWatcher(small, topic);
    await watcher.pull();
    expect([...watcher.state.keys()]).toEqual(["a"]);
    await set("b");
    await watcher.until("snapshot-end");
    expect(watcher.state).toEqual(await listedState(small, topic));
    await watcher.leave();
  });

  test.each([undefined, world])(
    "ends its snapshot although a key changes before each of its pages (rectangle %j)",
    async (rectangle) => {
      const topic = `busy-${rectangle === undefined ? "whole" : "box"}`;
      await createKeyed(engine, topic);
      const change = (text: string) =>
        appendKeyed(engine, topic, [{ key: "k", text, place: { latitude: 1, longitude: 1 } }]);
      await change("0");
      const watcher = new TestWatcher(engine, topic, { rectangle });
      for (let pull = 1; pull <= 5; pull += 1) {
        await watcher.pull();
        await change(String(pull));
      }
      expect(watcher.kinds).toContain("snapshot-end");
      await watcher.pull();
      expect(watcher.state).toEqual(await listedState(engine, topic));
      await watcher.leave();
    },
  );
});
