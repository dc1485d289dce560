import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Engine } from "../../../src/engine/index.js";
import type { Store } from "../../../src/store/index.js";
import { deferred } from "../../../src/streams/index.js";
import { createTestDatabase, databaseKinds, type TestDatabase } from "../../support/database.js";
import { openTestEngine } from "../../support/open-engine.js";
import { type Random, seededRandom, wholeNumberBetween } from "../../support/soak.js";
import { appendKeyed, type KeyedRecord, listedState, stateFromLog, TestWatcher } from "../keyed-topics.js";

/** Random keys, some removals, and some records without a key. */
function recordsAtRandom(random: Random, count: number): KeyedRecord[] {
  return Array.from({ length: count }, () => ({
    key: random() < 0.1 ? "" : `key-${wholeNumberBetween(random, 1, 3000)}`,
    text: random() < 0.2 ? undefined : `${random()}`,
  }));
}

describe.each(databaseKinds)("A topic that is turned keyed on %s", (kind) => {
  let database: TestDatabase;
  /** Two nodes on Postgres; on the embedded database, one node twice. */
  const engines: Engine[] = [];
  /** Nobody builds the state, as if another node had locked the build. */
  let isHeld = false;

  const holding = (store: Store): Store => ({
    ...store,
    buildState: async (...step) => (isHeld ? "elsewhere" : store.buildState(...step)),
  });

  beforeAll(async () => {
    database = await createTestDatabase(kind);
    engines.push((await openTestEngine(holding(await database.openStore()))).engine);
    if (kind === "postgres") engines.push((await openTestEngine(holding(await database.openStore()))).engine);
  });
  afterAll(async () => {
    await Promise.all(engines.map((engine) => engine.close()));
    await database.drop();
  });

  const isWhole = (topic: string) => async () => (await engines[0]!.topics.get(topic)).stateBuild === undefined;

  test("refuses readers of its state until that is complete, and reports its progress", async () => {
    const [engine] = engines as [Engine];
    const topic = "refused";
    await appendKeyed(engine, topic, [
      { key: "a", text: "old" },
      { key: "b", text: "old" },
      { key: "c", text: "old" },
    ]);
    await engine.topics.update(topic, { keyed: false });
    isHeld = true;
    const stateBuild = { fromOffset: 3, nextOffset: 3, untilOffset: 0 };
    expect((await engine.topics.update(topic, { keyed: true })).stateBuild).toEqual(stateBuild);
    expect((await engine.topics.list({ prefix: topic, after: "", count: 1 })).topics).toMatchObject([{ stateBuild }]);
    const refusal = {
      code: "state-building",
      message: expect.stringContaining("0 of 3 records are in it") as string,
      metadata: { topic, from_offset: "3", next_offset: "3", until_offset: "0" },
      retryDelayMs: 1000,
    };
    const get = engine.getState({ topic, keys: ["a"] }, new AbortController().signal);
    await expect(get).rejects.toMatchObject(refusal);
    await expect(listedState(engine, topic)).rejects.toMatchObject(refusal);
    await expect(new TestWatcher(engine, topic).pull()).rejects.toMatchObject(refusal);
    await expect(engine.topics.update(topic, { keyed: false })).rejects.toMatchObject({
      code: "invalid-argument",
      violations: [{ field: "keyed" }],
    });
    // Records that are published or trimmed meanwhile count.
    await appendKeyed(engine, topic, [
      { key: "b", text: undefined },
      { key: "d", text: "new" },
    ]);
    await engine.topics.trim(topic, 1, 0);
    expect((await engine.topics.get(topic)).stateBuild).toEqual({ ...stateBuild, untilOffset: 1 });
    isHeld = false;
    await engine.topics.update(topic, { keyed: true });
    await expect.poll(isWhole(topic), { interval: 10 }).toBe(true);
    expect(await listedState(engine, topic)).toEqual(
      new Map([
        ["c", "old"],
        ["d", "new"],
      ]),
    );
    await expect(engine.topics.update(topic, { keyed: false })).rejects.toMatchObject({ code: "invalid-argument" });
  });

  test("has the latest record of each key, whichever node publishes meanwhile", async () => {
    const topic = "published";
    const random = seededRandom(4);
    const [first, second = first] = engines as [Engine, Engine?];
    for (let batch = 0; batch < 4; batch += 1) await appendKeyed(first, topic, recordsAtRandom(random, 1000));
    let published = 0;
    const turned = deferred<void>();
    const publish = async (engine: Engine) => {
      for (let batch = 0; batch < 25 || !(await isWhole(topic)()); batch += 1) {
        await appendKeyed(engine, topic, recordsAtRandom(random, 20));
        published += 1;
        if (published === 10) turned.resolve();
      }
    };
    const publishers = [first, first, second, second].map(publish);
    await turned.promise;
    const updated = await Promise.all([first, second].map((engine) => engine.topics.update(topic, { keyed: true })));
    expect(updated.map(({ head }) => head.keyed)).toEqual([true, true]);
    await Promise.all(publishers);
    await expect.poll(isWhole(topic), { interval: 10 }).toBe(true);
    const state = await listedState(second, topic);
    expect(state).toEqual(await stateFromLog(first, topic));
    expect(state.size).toBeGreaterThan(1000);
    const watcher = new TestWatcher(first, topic);
    await watcher.until("snapshot-end");
    expect(watcher.state).toEqual(state);
    await watcher.leave();
  });
});
