/** Records that an ephemeral consumer rejects are read from its topic again, and there may be many at once. */

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { noRetention } from "../../../src/core/index.js";
import type { Store } from "../../../src/store/index.js";
import { createTestDatabase, databaseKinds, type TestDatabase } from "../../support/database.js";
import { openTestEngine, range, type TestEngine } from "../../support/open-engine.js";
import { recordsOf } from "../control-plane.js";
import { openConsumer } from "./test-consumer.js";

describe.each(databaseKinds)("an ephemeral consumer on %s", (kind) => {
  let database: TestDatabase;
  let node: TestEngine;
  let reads = 0;

  beforeAll(async () => {
    database = await createTestDatabase(kind);
    const store = await database.openStore();
    // How many statements have read single frames.
    const counted: Store = Object.create(store, {
      readFrames: {
        value: (...given: Parameters<Store["readFrames"]>) => {
          reads += 1;
          return store.readFrames(...given);
        },
      },
    }) as Store;
    // Too small to keep a frame in memory until its record is redelivered.
    node = await openTestEngine(counted, { consumeAheadBytes: 30_000, heartbeatMinMs: 60_000, heartbeatMaxMs: 60_000 });
  });
  afterAll(async () => {
    await node?.engine.close();
    await database?.drop();
  });

  test("gets rejected records redelivered, many in one read, except trimmed ones", async () => {
    const topic = "ephemeral";
    const limits = { recordBytes: 0, batchRecords: 0, batchBytes: 0 };
    await node.engine.topics.create({ name: topic, labels: new Map(), limits, retention: noRetention, keyed: false });
    const batch = recordsOf(range(0, 400).map((number) => ({ text: `${number}`.padEnd(200, ".") })));
    await node.engine.append({ topic, batch, expectedOffset: undefined, producer: undefined, epoch: 0 });
    const window = { records: 1000, bytes: 1_000_000 };
    const start = { at: "earliest" } as const;
    const consumer = openConsumer(node.engine, { kind: "ephemeral", topic, start, consumer: "", window });
    await consumer.take(400);
    const before = reads;
    consumer.say({ reject: [{ range: { firstOffset: 0, nextOffset: 400 }, delayMs: 300, reason: "" }] });
    await consumer.told("rejected", 400);
    await node.engine.topics.trim(topic, 100, 0);
    const again = await consumer.take(300);
    expect(again.map(({ offset }) => offset).toSorted((one, other) => one - other)).toEqual(range(100, 400));
    expect(reads - before).toBeLessThan(20);
    await consumer.lose();
  });
});
