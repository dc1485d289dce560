/** Which consumers are woken: a thousand may wait at a subscription, and one's request rarely concerns the others. */

import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { noRetention } from "../../../src/core/index.js";
import { Consumer } from "../../../src/engine/consume/handing-out/consumer.js";
import { createTestDatabase, type TestDatabase } from "../../support/database.js";
import { openTestEngine, range, type TestEngine } from "../../support/open-engine.js";
import { recordsOf } from "../control-plane.js";
import { openConsumer } from "./test-consumer.js";

describe("consumers that wait", () => {
  let database: TestDatabase;
  let node: TestEngine;

  beforeAll(async () => {
    database = await createTestDatabase("embedded");
    node = await openTestEngine(await database.openStore(), {
      sessionLeaseMs: 3600_000,
      heartbeatMinMs: 3600_000,
      heartbeatMaxMs: 3600_000,
      settleIntervalMs: 0,
    });
  });
  afterAll(async () => {
    await node?.engine.close();
    await database?.drop();
  });

  test("are not woken for each record that another acknowledges", async () => {
    const name = "waking";
    const limits = { recordBytes: 0, batchRecords: 0, batchBytes: 0 };
    await node.engine.topics.create({ name, labels: new Map(), limits, retention: noRetention, keyed: false });
    const batch = recordsOf(range(0, 200).map(() => ({ text: "x" })));
    await node.engine.append({ topic: name, batch, expectedOffset: undefined, producer: undefined, epoch: 0 });
    const start = { at: "earliest" } as const;
    const sharing = "shared";
    await node.engine.subscriptions.create({ name, topic: name, start, sharing, policy: {}, labels: new Map() });
    const open = (consumer: string) => {
      const window = { records: 200, bytes: 1_000_000 };
      return openConsumer(node.engine, { kind: "subscription", subscription: name, consumer, window });
    };
    const works = open("works");
    while (works.delivered.length < 200) await works.next();
    const idle = range(0, 20).map(() => open("waits"));
    for (const each of idle) await each.next();
    const waiting = idle.map((each) => each.take(1).catch(() => []));
    const wake = vi.spyOn(Consumer.prototype, "wake");
    try {
      for (const offset of range(0, 100)) {
        works.acknowledge(offset);
        await works.told("acknowledged", 1);
      }
      const woken = wake.mock.contexts.filter((consumer) => (consumer as Consumer).name === "waits").length;
      expect(woken).toBeLessThan(20 * 50);
    } finally {
      wake.mockRestore();
    }
    await Promise.all([works, ...idle].map((each) => each.lose()));
    await Promise.all(waiting);
  });
});
