import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Sharing, Window } from "../../src/core/index.js";
import type { Store } from "../../src/store/index.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { openTestEngine, range, type TestEngine } from "../support/open-engine.js";
import { openConsumer, type TestConsumer } from "./test-consumer.js";
import { recordsOf } from "./control-plane.js";

const wide: Window = { records: 1000, bytes: 1_000_000 };
const at = (offset: number) => ({ firstOffset: offset, nextOffset: offset + 1 });
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

describe("review", () => {
  let database: TestDatabase;
  let store: Store;
  let node: TestEngine;
  let small: TestEngine;
  let names = 0;
  beforeAll(async () => {
    database = await createTestDatabase("postgres");
    store = await database.openStore();
    node = await openTestEngine(store, { headPollMs: 50, heartbeatMinMs: 60_000, heartbeatMaxMs: 60_000 });
    small = await openTestEngine(store, { headPollMs: 50, consumeAheadBytes: 500 });
  });
  afterAll(async () => {
    await Promise.all([node, small].map((each) => each?.engine.close()));
    await database?.drop();
  });
  async function subscribe(
    count: number,
    sharing: Sharing = "shared",
    policy: object = {},
    keys = 10,
  ): Promise<string> {
    const name = `s-${++names}`;
    await node.engine.topics.create({
      name,
      labels: new Map(),
      limits: { recordBytes: 0, batchRecords: 0, batchBytes: 0 },
      retention: { ageMs: 0, records: 0, bytes: 0 },
      keyed: false,
    });
    for (let from = 0; from < count; from += 500) await publish(name, range(from, Math.min(count, from + 500)), keys);
    await node.engine.subscriptions.create({
      name,
      topic: name,
      from: { at: "earliest" },
      sharing,
      policy,
      labels: new Map(),
    });
    return name;
  }
  async function publish(topic: string, numbers: readonly number[], keys = 10): Promise<void> {
    const batch = recordsOf(numbers.map((number) => ({ key: `k${number % keys}`, text: `${number}`.padEnd(100) })));
    await node.engine.append({ topic, batch, expectedOffset: undefined, producer: undefined, epoch: 0 });
  }
  async function open(subscription: string, window: Partial<Window> = {}, on = node): Promise<TestConsumer> {
    const consumer = openConsumer(on.engine, {
      kind: "subscription",
      subscription,
      consumer: "",
      window: { ...wide, ...window },
    });
    await consumer.next();
    return consumer;
  }

  test("A deadlines while others acknowledge", async () => {
    const name = await subscribe(400, "shared", { ackDeadlineMs: 1000 });
    const consumer = await open(name, { records: 2 });
    await consumer.take(1);
    const start = Date.now();
    let seenAgain = 0;
    void (async () => {
      for (;;) {
        const { length } = consumer.delivered;
        await consumer.next();
        for (const { offset, attempt } of consumer.delivered.slice(length)) {
          if (attempt > 1) seenAgain ||= Date.now() - start;
        }
      }
    })().catch(() => {});
    let acked = 1;
    while (Date.now() - start < 3000 && !seenAgain) {
      await pause(10);
      while (acked < consumer.delivered.length) consumer.acknowledge(consumer.delivered[acked++]!.offset);
    }
    console.log("A again after", seenAgain, "delivered", consumer.delivered.length);
    await consumer.lose().catch(() => {});
    expect(seenAgain).toBeGreaterThan(0);
  });

  test("B pause under load", async () => {
    const name = await subscribe(20000);
    const consumer = await open(name, { records: 50 });
    let isOver = false;
    void (async () => {
      while (!isOver) {
        const { length } = consumer.delivered;
        await consumer.next();
        const got = consumer.delivered.slice(length);
        for (const { offset } of got) setTimeout(() => consumer.acknowledge(offset), 5);
      }
    })().catch(() => {});
    await pause(300);
    await node.engine.subscriptions.setPaused(name, true);
    await pause(500);
    const before = consumer.delivered.length;
    await pause(500);
    const after = consumer.delivered.length;
    console.log("B", before, after);
    isOver = true;
    await Promise.race([consumer.lose().catch(() => {}), pause(100)]);
    expect(after).toBe(before);
  });

  test.each(["shared", "exclusive", "keyed"] as const)("C again while read ahead is full %s", async (sharing) => {
    const name = await subscribe(50, sharing, { retryBacklog: 2, retryMinMs: 0, retryMaxMs: 0 }, 2);
    const consumer = await open(name, { records: 2 }, small);
    await consumer.take(2);
    await pause(100);
    if (sharing === "exclusive") consumer.say({ release: [at(0), at(1)] });
    else consumer.say({ reject: [0, 1].map((o) => ({ range: at(o), delayMs: 300, reason: "x" })) });
    await Promise.race([consumer.take(2), pause(3000)]);
    console.log("C", sharing, JSON.stringify(consumer.delivered));
    await Promise.race([consumer.lose().catch(() => {}), pause(100)]);
    expect(consumer.delivered.filter(({ attempt }) => attempt > 1).length).toBe(2);
  });

  test("E redrive more than the backlog", async () => {
    const name = await subscribe(20, "shared", { retryBacklog: 2 });
    const consumer = await open(name, { records: 10 });
    await consumer.take(10);
    consumer.say({ park: range(0, 10).map((o) => ({ range: at(o), reason: "x" })), window: { ...wide, records: 0 } });
    await consumer.told("parked", 10);
    await node.engine.subscriptions.redriveParked(
      { subscription: name, offsets: [], filter: undefined },
      0.1,
      new AbortController().signal,
    );
    await pause(500);
    consumer.say({ window: { ...wide, records: 100 } });
    await Promise.race([consumer.take(10), pause(2000)]);
    console.log("E", JSON.stringify(consumer.delivered));
    expect(consumer.delivered.filter(({ offset, attempt }) => attempt === 1 && offset >= 10).length).toBe(10);
  });

  test("B2 pause under steady load", async () => {
    const name = await subscribe(20000);
    const consumers = await Promise.all(range(0, 4).map(() => open(name, { records: 20 })));
    let isOver = false;
    const todo: (() => void)[] = [];
    const timers = consumers.map(() =>
      setInterval(() => {
        const n = Math.max(1, Math.ceil(todo.length / 20));
        for (const one of todo.splice(0, n)) one();
      }, 1),
    );
    for (const consumer of consumers)
      void (async () => {
        while (!isOver) {
          const { length } = consumer.delivered;
          await consumer.next();
          const got = consumer.delivered.slice(length);
          for (const { offset } of got) todo.push(() => consumer.acknowledge(offset));
        }
      })().catch(() => {});
    const total = () => consumers.reduce((sum, { delivered }) => sum + delivered.length, 0);
    await pause(300);
    const start = Date.now();
    await node.engine.subscriptions.setPaused(name, true);
    let last = total();
    let at0 = Date.now();
    while (Date.now() - at0 < 300 && Date.now() - start < 5000) {
      await pause(20);
      if (total() !== last) {
        last = total();
        at0 = Date.now();
      }
    }
    console.log("B2 stopped after ms", at0 - start, "delivered", total());
    isOver = true;
    timers.forEach(clearInterval);
    await Promise.race([Promise.all(consumers.map((c) => c.lose().catch(() => {}))), pause(200)]);
  });

  test("E2 redrive more than the backlog", async () => {
    const name = await subscribe(20, "shared", { retryBacklog: 2 });
    const consumer = await open(name, { records: 10 });
    await consumer.take(10);
    consumer.say({ park: range(0, 10).map((o) => ({ range: at(o), reason: "x" })), window: { ...wide, records: 0 } });
    await consumer.told("parked", 10);
    await node.engine.subscriptions.redriveParked(
      { subscription: name, offsets: [], filter: undefined },
      0.1,
      new AbortController().signal,
    );
    const other = await open(name, { records: 100 });
    await pause(400);
    await Promise.race([other.take(10), pause(2000)]);
    console.log("E2", JSON.stringify(other.delivered));
    expect(other.delivered.filter(({ offset, attempt }) => attempt === 1 && offset >= 10).length).toBe(10);
  });

  test("G a call that fails while much is to be told ends", async () => {
    const name = await subscribe(2, "exclusive");
    const consumer = await open(name);
    await consumer.take(2);
    consumer.say({ release: range(0, 12000).map((i) => at(10 + 2 * i)) });
    await pause(50);
    await node.engine.subscriptions.delete(name);
    await pause(300);
    const ended = consumer.next().then(
      () => "message",
      (error) => error.code,
    );
    const how = await Promise.race([ended, pause(2000).then(() => "hangs")]);
    console.log("G", how);
    expect(how).toBe("subscription-not-found");
  });
});
