/** A wall clock that is set changes nothing but stamps. Also: a machine that sleeps. */

import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { defaultLimits, noRetention } from "../../src/core/index.js";
import { createNodeSession, type NodeSession } from "../../src/engine/consume/node-session.js";
import { createDatabaseLanes } from "../../src/engine/database-lanes.js";
import type { Store } from "../../src/store/index.js";
import { type Clock, createLiveStreams, createMetrics, silentLogger, systemClock } from "../../src/telemetry/index.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { batchOf } from "../support/frames.js";
import { openTestEngine, range, type TestEngine } from "../support/open-engine.js";
import { createSimulatedClock, type SimulatedClock } from "../support/simulated-clock.js";
import { openConsumer } from "./consume/test-consumer.js";

const hourMs = 3_600_000;

describe("a wall clock that jumps", () => {
  let database: TestDatabase;
  let store: Store;
  let aheadMs = 0;
  const nodes: TestEngine[] = [];
  const clock: Clock = { ...systemClock, wallMicros: () => systemClock.wallMicros() + aheadMs * 1000 };

  beforeAll(async () => {
    database = await createTestDatabase("embedded");
    store = await database.openStore();
  });
  afterEach(async () => {
    aheadMs = 0;
    await Promise.all(nodes.splice(0).map((node) => node.engine.close()));
  });
  afterAll(() => database?.drop());

  async function openNode(heartbeatMs: number): Promise<TestEngine> {
    const node = await openTestEngine(store, { clock, heartbeatMinMs: heartbeatMs, heartbeatMaxMs: heartbeatMs });
    nodes.push(node);
    return node;
  }

  test.each([hourMs, -hourMs])("by %i ms, ends no hold, no deadline and no delay of a redelivery", async (jumpMs) => {
    const node = await openNode(60_000);
    const name = jumpMs > 0 ? "forward" : "back";
    await node.engine.topics.create({
      name,
      labels: new Map(),
      limits: { recordBytes: 0, batchRecords: 0, batchBytes: 0 },
      retention: noRetention,
      keyed: false,
    });
    await node.append(name, [1, 1, 1]);
    const policy = { ackDeadlineMs: 1000, retryMinMs: 0, retryMaxMs: 0 };
    const start = { at: "earliest" } as const;
    await node.engine.subscriptions.create({ name, topic: name, start, sharing: "shared", policy, labels: new Map() });
    const window = { records: 2, bytes: 1000 };
    const consumer = openConsumer(node.engine, { kind: "subscription", subscription: name, consumer: "", window });
    await consumer.take(2);
    const takenAtMs = performance.now();
    aheadMs = jumpMs;
    consumer.say({ reject: [{ range: { firstOffset: 0, nextOffset: 1 }, delayMs: 300, reason: "" }] });
    // Delivered by a valid hold.
    expect(await consumer.take(1)).toEqual([{ offset: 2, attempt: 1 }]);
    consumer.acknowledge(2);
    expect(await consumer.take(1)).toEqual([{ offset: 0, attempt: 2 }]);
    expect(performance.now() - takenAtMs).toBeGreaterThan(290);
    expect(performance.now() - takenAtMs).toBeLessThan(1000);
    consumer.acknowledge(0);
    expect(await consumer.take(1)).toEqual([{ offset: 1, attempt: 2 }]);
    expect(performance.now() - takenAtMs).toBeGreaterThan(990);
    consumer.acknowledge(1);
    expect((await consumer.told("acknowledged", 3)).sort()).toEqual(range(0, 3));
    await consumer.halfClose();
  });

  test.each([-90_000, 90_000])("is off by %i ms on one node, removes none of its records early", async (offMs) => {
    const right = await openTestEngine(store);
    nodes.push(right);
    aheadMs = offMs;
    const off = await openNode(60_000);
    const name = `off/${offMs}`;
    const limits = { recordBytes: 0, batchRecords: 0, batchBytes: 0 };
    const topic = { labels: new Map(), limits, keyed: false };
    for (const each of [name, `${name}/after`]) {
      await off.engine.topics.create({ ...topic, name: each, retention: noRetention });
    }
    const write = { expectedOffset: undefined, producer: undefined, epoch: 0 };
    for (const lifetime of [undefined, 60]) {
      await off.engine.append({ topic: name, batch: batchOf([1, 1], [lifetime, lifetime]), ...write });
    }
    await off.append(`${name}/after`, [1, 1]);
    // A topic that is checked later: once it is trimmed, this one was checked.
    for (const node of [right, off]) {
      await node.engine.topics.update(name, { retention: { ...noRetention, ageMs: 60_000 } });
      const next = (await node.append(`${name}/after`, [1, 1])).nextOffset;
      await node.engine.topics.update(`${name}/after`, { retention: { ...noRetention, records: 1 } });
      await expect
        .poll(async () => (await node.engine.topics.get(`${name}/after`)).head.earliestOffset, { interval: 2 })
        .toBe(next - 1);
      expect((await node.read(name)).offsets).toEqual(range(0, 4));
    }
  });

  test("changes neither the interval of heartbeats nor any wait of a stream", async () => {
    const node = await openNode(200);
    await node.append("paced", [1]);
    const follower = node.follow("paced");
    await follower.until("caught-up");
    const beats: number[] = [];
    for (const jumpMs of [hourMs, -hourMs, 0]) {
      const startedAtMs = performance.now();
      aheadMs = jumpMs;
      expect((await follower.next()).kind).toBe("heartbeat");
      beats.push(performance.now() - startedAtMs);
    }
    for (const beatMs of beats) {
      expect(beatMs).toBeGreaterThan(150);
      expect(beatMs).toBeLessThan(2000);
    }
    await follower.cancel();
    const stream = createLiveStreams(clock).open("test", "follow");
    stream.waitFor("database");
    aheadMs = hourMs;
    const waitedMs = clock.wallMicros() / 1000 - stream.waitingSinceMs;
    expect(Math.abs(waitedMs)).toBeLessThan(1000);
  });
});

describe("createNodeSession()", () => {
  let database: TestDatabase;
  let clock: SimulatedClock;
  let session: NodeSession;
  let working = 0;

  beforeAll(async () => {
    database = await createTestDatabase("embedded");
    const store = await database.openStore();
    const counted: Store = {
      ...store,
      openSession: (...call) => count(store.openSession(...call)),
      renewSession: (...call) => count(store.renewSession(...call)),
      endExpiredSessions: () => count(store.endExpiredSessions()),
    };
    const limits = { ...defaultLimits, sessionLeaseMs: 30_000 };
    clock = createSimulatedClock({ isBusy: () => working > 0 });
    session = createNodeSession({
      lanes: createDatabaseLanes(counted, limits, createMetrics()),
      limits,
      clock,
      logger: silentLogger,
      node: "here",
      onLost: () => {},
    });
  });
  afterAll(async () => {
    await session?.close();
    await database?.drop();
  });

  async function count<T>(call: Promise<T>): Promise<T> {
    working += 1;
    return call.finally(() => (working -= 1));
  }

  test("is valid while it renews, whatever the wall clock does, and not after a sleep of the machine", async () => {
    await session.open();
    for (const jumpMs of [0, hourMs, -2 * hourMs, hourMs]) {
      clock.jumpWall(jumpMs);
      expect(session.isHeld).toBe(true);
      await clock.advance(60_000);
      expect(session.isHeld).toBe(true);
    }
    clock.sleepMachine(30_000);
    expect(session.isHeld).toBe(false);
    // The next renewal finds that nobody has ended it.
    await clock.advance(10_001);
    expect(session.isHeld).toBe(true);
    await session.close();
    expect(session.isHeld).toBe(false);
    expect(clock.timers).toBe(0);
  });
});
