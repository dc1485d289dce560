import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { noRetention } from "../../../src/core/index.js";
import type { Store } from "../../../src/store/index.js";
import type { LiveStream } from "../../../src/telemetry/index.js";
import { type Deferred, deferred } from "../../../src/streams/index.js";
import { createTestDatabase, type TestDatabase } from "../../support/database.js";
import { batchOf } from "../../support/frames.js";
import { offsetsOf, openTestEngine, type TestEngine } from "../../support/open-engine.js";

/** Where lookups of topics wait, one by one, when a test holds them: before or after their statement. */
interface HeldLookup {
  readonly isHeld: Promise<void>;
  release(): void;
}

describe("a name that breaks the rules of names", () => {
  let database: TestDatabase;
  let node: TestEngine;
  const stream = { waitFor() {}, measureLag() {} } as unknown as LiveStream;
  const { signal } = new AbortController();

  beforeAll(async () => {
    database = await createTestDatabase("postgres");
    node = await openTestEngine(await database.openStore());
  });
  afterAll(async () => {
    await node.engine.close();
    await database.drop();
  });

  const topic = "No Name";
  const batch = batchOf([3]);
  const calls: Record<string, () => Promise<unknown>> = {
    append: () => node.engine.append({ topic, batch, expectedOffset: undefined, producer: undefined, epoch: 0 }),
    getState: () => node.engine.getState({ topic, keys: ["k"] }, signal),
    watchState: () =>
      node.engine
        .watchState(
          {
            topic,
            keyPrefix: "",
            rectangle: undefined,
            filter: undefined,
            start: undefined,
            changesOnly: false,
            withoutTombstones: false,
          },
          stream,
          signal,
        )
        .next(),
  };
  for (const [method, call] of Object.entries(calls)) {
    it(`is refused by ${method} as an invalid argument`, async () => {
      await expect(call()).rejects.toMatchObject({ code: "invalid-argument", violations: [{ field: "topic" }] });
    });
  }
});

describe("a topic that is looked up while it is deleted and created again", () => {
  let database: TestDatabase;
  let store: Store;
  let node: TestEngine;
  let hold: { readonly at: "before" | "after"; readonly held: Deferred<void>; readonly go: Deferred<void> } | undefined;

  beforeAll(async () => {
    database = await createTestDatabase("postgres");
    store = await database.openStore();
    const findTopic: Store["findTopic"] = async (name) => {
      const held = hold;
      hold = undefined;
      const pass = async () => {
        held?.held.resolve();
        await held?.go.promise;
      };
      if (held?.at === "before") await pass();
      const found = await store.findTopic(name);
      if (held?.at === "after") await pass();
      return found;
    };
    node = await openTestEngine({ ...store, findTopic }, { headPollMs: 60_000 });
  });
  afterAll(async () => {
    await node.engine.close();
    await database.drop();
  });

  /** Holds the next lookup, before or after its statement. */
  function holdNext(at: "before" | "after"): HeldLookup {
    const [held, go] = [deferred<void>(), deferred<void>()];
    hold = { at, held, go };
    return { isHeld: held.promise, release: () => go.resolve() };
  }

  async function recreate(name: string): Promise<void> {
    const found = await store.findTopic(name);
    await store.deleteTopic(found!.head.topicId);
    await store.createTopic({
      name,
      epoch: 7,
      labels: new Map(),
      limits: { recordBytes: 0, batchRecords: 0, batchBytes: 0 },
      retention: noRetention,
      keyed: false,
    });
  }

  it("is not compared with its other incarnation, which had more records", async () => {
    await node.append("further", [1, 1, 1]);
    const lookup = holdNext("before");
    const late = node.follow("further");
    const started = late.next();
    await lookup.isHeld;
    await recreate("further");
    const early = node.follow("further");
    await early.until("caught-up");
    lookup.release();
    expect(await started).toMatchObject({ kind: "started", nextOffset: 0, next: { epoch: 7, offset: 0 } });
    expect(await node.append("further", [1])).toMatchObject({ firstOffset: 0, epoch: 7 });
    expect(offsetsOf(await early.until("page"))).toEqual([0]);
    expect(offsetsOf(await late.until("page"))).toEqual([0]);
    await Promise.all([late.cancel(), early.cancel()]);
  });

  it("is kept when a lookup that began before its creation finds nothing", async () => {
    const lookup = holdNext("after");
    const late = node.follow("created");
    const started = late.next();
    await lookup.isHeld;
    await node.append("created", [1]);
    const early = node.follow("created");
    await early.until("caught-up");
    lookup.release();
    await expect(started).rejects.toThrow("no topic");
    expect(await node.append("created", [1])).toMatchObject({ firstOffset: 1 });
    expect(offsetsOf(await early.until("page"))).toEqual([1]);
    await early.cancel();
  });

  it("is looked up again when another lookup found another incarnation meanwhile", async () => {
    await node.append("again", [1]);
    const lookup = holdNext("after");
    const late = node.follow("again");
    const started = late.next();
    await lookup.isHeld;
    await recreate("again");
    const early = node.follow("again");
    await early.until("caught-up");
    lookup.release();
    expect(await started).toMatchObject({ kind: "started", next: { epoch: 7, offset: 0 } });
    await node.append("again", [1]);
    expect(offsetsOf(await early.until("page"))).toEqual([0]);
    await Promise.all([late.cancel(), early.cancel()]);
  });
});

describe("topics that nobody uses", () => {
  it("are dropped above their bound, and looked up again when they are used", async () => {
    const database = await createTestDatabase("postgres");
    const node = await openTestEngine(await database.openStore(), { idleTopics: 3 });
    const remembered = async () => (await node.metrics.registry.getSingleMetric("millrace_topics")?.get())?.values;
    try {
      for (let topic = 0; topic < 10; topic++) await node.append(`idle/${topic}`, [1]);
      await expect.poll(remembered).toMatchObject([{ value: 3 }]);
      const follower = node.follow("idle/0");
      await follower.next();
      expect(await remembered()).toMatchObject([{ value: 4 }]);
      expect((await node.append("idle/0", [1])).firstOffset).toBe(1);
      await follower.cancel();
      await expect.poll(remembered).toMatchObject([{ value: 3 }]);
    } finally {
      await node.engine.close();
      await database.drop();
    }
  });
});
