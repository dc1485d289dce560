/**
 * Keys are redistributed when consumers come, leave or pause: only if the consumers with keys change, and once a turn.
 */

import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { noRetention } from "../../../src/core/index.js";
import { KeyedRecords } from "../../../src/engine/consume/handing-out/keyed-records.js";
import { createTestDatabase, type TestDatabase } from "../../support/database.js";
import { openTestEngine, range, type TestEngine } from "../../support/open-engine.js";
import { recordsOf } from "../control-plane.js";
import { openConsumer, type TestConsumer } from "./test-consumer.js";

describe("KEYED", () => {
  let database: TestDatabase;
  let node: TestEngine;
  let names = 0;

  beforeAll(async () => {
    database = await createTestDatabase("embedded");
    const quiet = { heartbeatMinMs: 3600_000, heartbeatMaxMs: 3600_000 };
    node = await openTestEngine(await database.openStore(), { sessionLeaseMs: 3600_000, ...quiet });
  });
  afterAll(async () => {
    await node?.engine.close();
    await database?.drop();
  });

  async function subscribe(count: number): Promise<string> {
    const name = `sharing-${++names}`;
    const limits = { recordBytes: 0, batchRecords: 0, batchBytes: 0 };
    await node.engine.topics.create({ name, labels: new Map(), limits, retention: noRetention, keyed: false });
    const batch = recordsOf(range(0, count).map((number) => ({ key: `k${number}`, text: "x" })));
    await node.engine.append({ topic: name, batch, expectedOffset: undefined, producer: undefined, epoch: 0 });
    const start = { at: "earliest" } as const;
    const sharing = "keyed";
    await node.engine.subscriptions.create({ name, topic: name, start, sharing, policy: {}, labels: new Map() });
    return name;
  }

  function open(subscription: string, records: number): TestConsumer {
    const window = { records, bytes: 1_000_000 };
    return openConsumer(node.engine, { kind: "subscription", subscription, consumer: "", window });
  }

  test("a consumer that pauses and resumes many times at once redistributes keys a few times", async () => {
    const name = await subscribe(1);
    const consumers = range(0, 5).map(() => open(name, 1));
    await Promise.all(consumers.map((consumer) => consumer.next()));
    const share = vi.spyOn(KeyedRecords.prototype, "share");
    try {
      const [first] = consumers as [TestConsumer];
      for (const turn of range(0, 500)) first.say({ window: { records: turn % 2, bytes: 1_000_000 } });
      first.say({ window: { records: 7, bytes: 1_000_000 } });
      await first.until(({ event }) => (event?.kind === "window-changed" && event.window.records === 7) || undefined);
      expect(share.mock.calls.length).toBeLessThan(50);
    } finally {
      share.mockRestore();
    }
    await Promise.all(consumers.map((consumer) => consumer.lose()));
  });

  test("records that a consumer did not receive before it paused go to a new one that waits", async () => {
    const name = await subscribe(100);
    const first = open(name, 1);
    expect(await first.take(1)).toHaveLength(1);
    const second = open(name, 0);
    await second.next();
    first.say({ window: { records: 0, bytes: 0 } });
    second.say({ window: { records: 1000, bytes: 1_000_000 } });
    expect(await second.take(99)).toHaveLength(99);
    await Promise.all([first.lose(), second.lose()]);
  });
});
