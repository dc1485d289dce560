/** When a consumer is informed why it gets nothing. */

import { afterAll, beforeAll, expect, test } from "vitest";
import { noRetention } from "../../../src/core/index.js";
import { type Clock, systemClock } from "../../../src/telemetry/index.js";
import { createTestDatabase, type TestDatabase } from "../../support/database.js";
import { openTestEngine, range, type TestEngine } from "../../support/open-engine.js";
import { recordsOf } from "../control-plane.js";
import { openConsumer } from "./test-consumer.js";

let database: TestDatabase;
let node: TestEngine;
/** The engine's time, which does not advance. */
let nowMs = systemClock.monotonicMs();
const clock: Clock = { ...systemClock, monotonicMs: () => nowMs };

beforeAll(async () => {
  database = await createTestDatabase("embedded");
  const limits = { sessionLeaseMs: 3600_000, heartbeatMinMs: 3600_000, heartbeatMaxMs: 3600_000, settleIntervalMs: 0 };
  node = await openTestEngine(await database.openStore(), { clock, ...limits });
});
afterAll(async () => {
  await node?.engine.close();
  await database?.drop();
});

test("a consumer with a full window after every record is informed after half a second without records", async () => {
  const name = "heartbeats";
  const limits = { recordBytes: 0, batchRecords: 0, batchBytes: 0 };
  await node.engine.topics.create({ name, labels: new Map(), limits, retention: noRetention, keyed: false });
  const batch = recordsOf(range(0, 20).map(() => ({ text: "x" })));
  await node.engine.append({ topic: name, batch, expectedOffset: undefined, producer: undefined, epoch: 0 });
  const start = { at: "earliest" } as const;
  const sharing = "shared";
  await node.engine.subscriptions.create({ name, topic: name, start, sharing, policy: {}, labels: new Map() });
  const window = { records: 1, bytes: 1000 };
  const consumer = openConsumer(node.engine, { kind: "subscription", subscription: name, consumer: "", window });
  await consumer.take(1);
  const told = consumer.until(({ event }) => (event?.kind === "heartbeat" ? event : undefined));
  let isTold = false;
  void told.then(() => (isTold = true));
  const passTime = (): boolean => {
    nowMs += 600;
    consumer.say({ window });
    return isTold;
  };
  await expect.poll(passTime).toBe(true);
  expect(await told).toMatchObject({ waiting: "window-full-records", outstandingRecords: 1 });
  let heartbeats = 0;
  for (let offset = 0; offset < 10; offset++) {
    const next = consumer.until(({ runs, event }) => {
      if (event?.kind === "heartbeat") heartbeats += 1;
      return runs[0];
    });
    consumer.acknowledge(offset);
    await next;
  }
  expect(heartbeats).toBe(0);
  await consumer.lose();
});
