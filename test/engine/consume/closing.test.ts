/** A group closes within its time limit, whatever the database does. */

import { expect, test } from "vitest";
import { noRetention } from "../../../src/core/index.js";
import { type Store, StoreUnavailableError } from "../../../src/store/index.js";
import { createTestDatabase } from "../../support/database.js";
import { openTestEngine, range } from "../../support/open-engine.js";
import { recordsOf } from "../control-plane.js";
import { openConsumer } from "./test-consumer.js";

test("a node closes while the database accepts no writes, even if its group waits for a write", async () => {
  const database = await createTestDatabase("embedded");
  const store = await database.openStore();
  let isAway = false;
  let failures = 0;
  const broken: Store = Object.create(store, {
    settle: {
      value: (...given: Parameters<Store["settle"]>) => {
        if (!isAway) return store.settle(...given);
        failures += 1;
        return Promise.reject(new StoreUnavailableError("away", { outcomeUnknown: false }));
      },
    },
  }) as Store;
  const { engine, metrics } = await openTestEngine(broken, {
    headPollMs: 20,
    heartbeatMinMs: 60_000,
    heartbeatMaxMs: 60_000,
  });
  const name = "closing";
  const limits = { recordBytes: 0, batchRecords: 0, batchBytes: 0 };
  await engine.topics.create({ name, labels: new Map(), limits, retention: noRetention, keyed: false });
  const batch = recordsOf(range(0, 10).map(() => ({ text: "x" })));
  await engine.append({ topic: name, batch, expectedOffset: undefined, producer: undefined, epoch: 0 });
  const start = { at: "earliest" } as const;
  const sharing = "shared";
  await engine.subscriptions.create({ name, topic: name, start, sharing, policy: {}, labels: new Map() });
  const window = { records: 10, bytes: 1000 };
  const consumer = openConsumer(engine, { kind: "subscription", subscription: name, consumer: "", window });
  await consumer.take(10);
  isAway = true;
  consumer.acknowledge(0, 1, 2);
  // Meanwhile the group syncs, which waits until all pending verdicts are written.
  await expect.poll(() => failures, { timeout: 10_000 }).toBeGreaterThan(3);
  await consumer.lose();
  await engine.close();
  const outstanding = await metrics.registry.getSingleMetric("millrace_outstanding_records")?.get();
  expect(outstanding?.values[0]?.value).toBe(0);
  await database.drop();
});
