import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Sharing, Window } from "../../src/core/index.js";
import type { Store } from "../../src/store/index.js";
import { createTestDatabase, databaseKinds, type TestDatabase } from "../support/database.js";
import { openTestEngine, range, type TestEngine } from "../support/open-engine.js";
import { openConsumer, type TestConsumer } from "./test-consumer.js";
import { recordsOf } from "./control-plane.js";

const wide: Window = { records: 1000, bytes: 1_000_000 };
const at = (offset: number) => ({ firstOffset: offset, nextOffset: offset + 1 });

describe.each(databaseKinds)("consume on %s", (kind) => {
  let database: TestDatabase;
  let store: Store;
  let node: TestEngine;
  let names = 0;

  beforeAll(async () => {
    database = await createTestDatabase(kind);
    store = await database.openStore();
    node = await openTestEngine(store, { headPollMs: 50, heartbeatMinMs: 60_000, heartbeatMaxMs: 60_000 });
  });
  afterAll(async () => {
    await node?.engine.close();
    await database?.drop();
  });

  /** A subscription of so many records, each with the key of its offset's last digit. */
  async function subscribe(count: number, sharing: Sharing = "shared", policy: object = {}): Promise<string> {
    const name = `s-${kind}-${++names}`;
    await node.engine.topics.create({
      name,
      labels: new Map(),
      limits: { recordBytes: 0, batchRecords: 0, batchBytes: 0 },
      retention: { ageMs: 0, records: 0, bytes: 0 },
      keyed: false,
    });
    await publish(name, range(0, count));
    const start = { at: "earliest" } as const;
    await node.engine.subscriptions.create({ name, topic: name, start, sharing, policy, labels: new Map() });
    return name;
  }

  async function publish(topic: string, numbers: readonly number[]): Promise<void> {
    if (numbers.length === 0) return;
    const batch = recordsOf(numbers.map((number) => ({ key: `k${number % 10}`, text: `${number}` })));
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

  const progressOf = async (name: string) => {
    const { subscriptionId } = await node.engine.subscriptions.get(name);
    const progress = await store.readProgress(subscriptionId);
    if (progress === undefined) throw new Error("gone");
    return progress;
  };

  test("a consumer, gets what its window lets through, and more for what it acknowledges", async () => {
    const name = await subscribe(20);
    const consumer = await open(name, { records: 4 });
    expect((await consumer.take(4)).map(({ offset }) => offset)).toEqual([0, 1, 2, 3]);
    consumer.say({ acknowledge: [{ firstOffset: 0, nextOffset: 3 }] });
    expect((await consumer.take(3)).map(({ offset }) => offset)).toEqual([4, 5, 6]);
    expect(await consumer.told("acknowledged", 3)).toEqual([0, 1, 2]);
    expect((await progressOf(name)).cursor).toBe(3);
    consumer.say({ acknowledgeThrough: 5, window: { records: 100, bytes: 1_000_000 } });
    await consumer.take(13);
    consumer.say({ acknowledgeThrough: 19 });
    await consumer.halfClose();
    expect((await progressOf(name)).unsettled).toBe(0);
    expect(consumer.delivered).toEqual(range(0, 20).map((offset) => ({ offset, attempt: 1 })));
  });

  test("a window of bytes, holds but for one record that is larger alone", async () => {
    const name = await subscribe(0);
    await node.append(name, [100, 100, 5000, 100]);
    const consumer = await open(name, { bytes: 300 });
    expect((await consumer.take(2)).map(({ offset }) => offset)).toEqual([0, 1]);
    consumer.acknowledge(0);
    expect(await consumer.told("acknowledged", 1)).toEqual([0]);
    // The next one goes alone: one is still out.
    consumer.acknowledge(1);
    expect((await consumer.take(1)).map(({ offset }) => offset)).toEqual([2]);
    consumer.acknowledge(2);
    expect((await consumer.take(1)).map(({ offset }) => offset)).toEqual([3]);
    await consumer.lose();
  });

  test("a record that is rejected, comes again with its attempt, and is parked with its reasons after the last", async () => {
    const name = await subscribe(3, "shared", { attemptsMax: 3, retryMinMs: 0, retryMaxMs: 0 });
    const consumer = await open(name);
    await consumer.take(3);
    consumer.acknowledge(0, 2);
    for (const attempt of [1, 2, 3]) {
      consumer.say({ reject: [{ range: at(1), delayMs: undefined, reason: `no ${attempt}` }] });
      if (attempt < 3) expect(await consumer.take(1)).toEqual([{ offset: 1, attempt: attempt + 1 }]);
    }
    expect(await consumer.told("rejected", 3)).toEqual([1, 1, 1]);
    const parked = await node.engine.subscriptions.getParked(name, 1);
    expect(parked).toMatchObject({ offset: 1, deliveries: 3, reasons: ["no 1", "no 2", "no 3"] });
    expect((await progressOf(name)).cursor).toBe(3);
    await node.engine.subscriptions.redriveParked(
      { subscription: name, offsets: [], filter: undefined },
      0,
      new AbortController().signal,
    );
    expect(await consumer.take(1)).toEqual([{ offset: 1, attempt: 4 }]);
    expect((await progressOf(name)).cursor).toBe(3);
    consumer.acknowledge(1);
    expect((await consumer.told("acknowledged", 3)).sort()).toEqual([0, 1, 2]);
    expect(await progressOf(name)).toMatchObject({ parked: 0, retries: 0, unsettled: 0 });
    await consumer.lose();
  });

  test("what is released, parked or not its own, is told", async () => {
    const name = await subscribe(4);
    const consumer = await open(name);
    await consumer.take(4);
    consumer.say({
      release: [at(0)],
      park: [{ range: at(1), reason: "bad" }],
      acknowledge: [{ firstOffset: 2, nextOffset: 9 }],
    });
    const told = {
      released: [] as object[],
      parked: [] as object[],
      stale: [] as object[],
      acknowledged: [] as object[],
    };
    await consumer.until(({ confirmed }) => {
      for (const verdict of ["released", "parked", "stale", "acknowledged"] as const) {
        told[verdict].push(...(confirmed?.[verdict] ?? []));
      }
      return Object.values(told).every((ranges) => ranges.length > 0) ? true : undefined;
    });
    expect(told).toEqual({
      released: [at(0)],
      parked: [at(1)],
      acknowledged: [{ firstOffset: 2, nextOffset: 4 }],
      stale: [{ range: { firstOffset: 4, nextOffset: 9 }, attempt: 0 }],
    });
    // To release is no attempt: nothing was begun.
    if (consumer.delivered.filter(({ offset }) => offset === 0).length === 1) await consumer.take(1);
    expect(consumer.delivered.at(-1)).toEqual({ offset: 0, attempt: 1 });
    await consumer.lose();
    expect(await node.engine.subscriptions.getParked(name, 1)).toMatchObject({ reasons: ["bad"] });
  });

  test("SHARED, spreads records by free window; what a lost consumer had goes to the others", async () => {
    const name = await subscribe(0);
    const one = await open(name, { records: 10 });
    const two = await open(name, { records: 30 });
    await publish(name, range(0, 100));
    await Promise.all([one.take(10), two.take(30)]);
    await one.lose();
    two.say({ window: wide });
    await two.take(70);
    expect(new Set(two.delivered.map(({ offset }) => offset)).size).toBe(100);
    const again = two.delivered.filter(({ attempt }) => attempt === 2);
    expect(again.map(({ offset }) => offset).sort()).toEqual(one.delivered.map(({ offset }) => offset).sort());
    await two.lose();
  });

  test("EXCLUSIVE, the newer takes over: the older ends fenced, and what it had comes first", async () => {
    const name = await subscribe(20, "exclusive");
    const older = await open(name, { records: 5 });
    await older.take(5);
    older.acknowledge(0);
    await older.told("acknowledged", 1);
    const newer = await open(name, { records: 100 });
    await expect(older.take(10)).rejects.toMatchObject({ code: "consumer-fenced" });
    const held = new Set(older.delivered.map(({ offset }) => offset));
    await newer.take(19);
    const expected = range(1, 20).map((offset) => ({ offset, attempt: held.has(offset) ? 2 : 1 }));
    expect(newer.delivered).toEqual(expected);
    await newer.lose();
  });

  test("KEYED, a key is worked on by one consumer at a time, in order, through rejections and departures", async () => {
    const name = await subscribe(200, "keyed", { retryMinMs: 0, retryMaxMs: 0, attemptsMax: 100 });
    const working = new Map<number, number>();
    const done = new Map<number, number[]>();
    let failures = 0;
    const seen = new Map<TestConsumer, number>();
    const work = async (consumer: TestConsumer, until: number): Promise<void> => {
      while ([...done.values()].flat().length < until) {
        await consumer.next();
        for (const { offset } of consumer.delivered.slice(seen.get(consumer))) {
          const key = offset % 10;
          expect(working.get(key)).toBeUndefined();
          const before = done.get(key) ?? [];
          expect(offset).toBe((before.at(-1) ?? key - 10) + 10);
          if (failures < 40 && (offset * 7 + failures) % 3 === 0) {
            failures += 1;
            consumer.say({ reject: [{ range: at(offset), delayMs: undefined, reason: "" }] });
          } else {
            done.set(key, [...before, offset]);
            consumer.acknowledge(offset);
          }
        }
        seen.set(consumer, consumer.delivered.length);
      }
    };
    const one = await open(name, { records: 7 });
    await work(one, 60);
    const two = await open(name, { records: 7 });
    await Promise.all(
      [work(one, 120), work(two, 120)].map((each) => each.catch((error: unknown) => Promise.reject(error))),
    );
    await one.halfClose();
    await work(two, 200);
    expect([...done.values()].flat().sort((a, b) => a - b)).toEqual(range(0, 200));
    expect(failures).toBeGreaterThan(10);
    await two.halfClose();
    expect((await progressOf(name)).unsettled).toBe(0);
  });

  test.each(["shared", "exclusive", "keyed"] as const)("%s, what was trimmed is skipped, and told", async (sharing) => {
    const name = await subscribe(20, sharing);
    await node.engine.topics.trim(name, 5, 0);
    const consumer = await open(name);
    expect(await consumer.until(({ event }) => (event?.kind === "skipped" ? event : undefined))).toMatchObject({
      firstOffset: 0,
      nextOffset: 5,
    });
    while (consumer.delivered.length < 15) {
      consumer.acknowledge(...consumer.delivered.map(({ offset }) => offset));
      await consumer.next();
    }
    expect(consumer.delivered.map(({ offset }) => offset).sort((one, other) => one - other)).toEqual(range(5, 20));
    await consumer.lose();
  });

  test("SHARED, redriven records are taken also while windows are full", async () => {
    const name = await subscribe(20);
    const { subscriptionId } = await node.engine.subscriptions.get(name);
    const consumer = await open(name, { records: 1 });
    await consumer.take(1);
    consumer.say({ park: [{ range: at(0), reason: "" }] });
    await consumer.told("parked", 1);
    if (consumer.delivered.length < 2) await consumer.take(1);
    const all = { subscription: name, offsets: [], filter: undefined };
    await node.engine.subscriptions.redriveParked(all, 0, new AbortController().signal);
    const isTaken = async (): Promise<boolean> => {
      const sync = await store.syncSubscription(subscriptionId, { session: 0, consumers: 0, facts: "[]" });
      return sync?.claims.some(({ kind, session }) => kind === "redriven" && session !== undefined) === true;
    };
    await expect.poll(isTaken).toBe(true);
    // It is being fetched: some that are new may go before it.
    while (consumer.delivered.at(-1)?.offset !== 0) {
      consumer.acknowledge(consumer.delivered.at(-1)?.offset ?? 0);
      await consumer.take(1);
    }
    expect(consumer.delivered.at(-1)).toEqual({ offset: 0, attempt: 2 });
    await consumer.lose();
  });

  test("an offset that is named twice in one message, is judged once: the first counts", async () => {
    const name = await subscribe(400);
    const consumer = await open(name);
    await consumer.take(400);
    const run = (firstOffset: number, nextOffset: number) => ({ firstOffset, nextOffset });
    consumer.say({
      acknowledge: [run(0, 2), run(1, 3)],
      reject: [{ range: run(2, 4), delayMs: 60_000, reason: "" }],
      extend: [
        { range: run(0, 2 ** 53 - 1), byMs: 60_000 },
        { range: run(300, 2 ** 53 - 1), byMs: 1000 },
      ],
    });
    expect(await consumer.told("acknowledged", 3)).toEqual([0, 1, 2]);
    expect(await consumer.told("rejected", 1)).toEqual([3]);
    expect(await consumer.told("extended", 396)).toEqual(range(4, 400));
    await consumer.lose();
  });

  test("KEYED, a consumer that pauses leaves its keys to the others", async () => {
    const name = await subscribe(100, "keyed");
    const paused = await open(name, { records: 0 });
    const working = await open(name, { records: 100 });
    while (working.delivered.length < 100) {
      const from = working.delivered.length;
      await working.next();
      working.acknowledge(...working.delivered.slice(from).map(({ offset }) => offset));
    }
    working.say({ window: { records: 0, bytes: 0 } });
    paused.say({ window: wide });
    await publish(name, range(100, 110));
    await paused.take(10);
    await Promise.all([paused.lose(), working.lose()]);
  });

  test("pause, seek and delete, reach those who consume", async () => {
    const name = await subscribe(10);
    const { subscriptions } = node.engine;
    const consumer = await open(name, { records: 5 });
    await consumer.take(5);
    await subscriptions.setPaused(name, true);
    await consumer.until(({ event }) => (event?.kind === "heartbeat" && event.waiting === "paused" ? true : undefined));
    consumer.acknowledge(0, 1);
    await consumer.told("acknowledged", 2);
    expect(consumer.delivered).toHaveLength(5);
    await subscriptions.setPaused(name, false);
    expect(await consumer.take(2)).toEqual([5, 6].map((offset) => ({ offset, attempt: 1 })));
    await subscriptions.seek(name, { at: "offset", offset: 1 });
    // No attempt of before has the same number: by default a record has five.
    expect(await consumer.take(5)).toEqual([1, 2, 3, 4, 5].map((offset) => ({ offset, attempt: 7 })));
    await subscriptions.delete(name);
    await expect(consumer.take(5)).rejects.toMatchObject({ code: "subscription-not-found" });
  });

  test("a record that is not acknowledged in time, comes again; one that asked for more time does not", async () => {
    const name = await subscribe(2, "shared", { ackDeadlineMs: 1000 });
    const consumer = await open(name);
    await consumer.take(2);
    consumer.say({ extend: [{ range: at(1), byMs: 60_000 }] });
    expect(await consumer.take(1)).toEqual([{ offset: 0, attempt: 2 }]);
    expect(consumer.delivered).toHaveLength(3);
    consumer.acknowledge(0, 1);
    expect((await consumer.told("acknowledged", 2)).sort()).toEqual([0, 1]);
    await consumer.lose();
  });

  test("an ephemeral consumer, delivers again and goes on, and keeps nothing", async () => {
    const name = await subscribe(10);
    const consumer = openConsumer(node.engine, {
      kind: "ephemeral",
      topic: name,
      start: { at: "offset", offset: 5 },
      consumer: "",
      window: { ...wide, records: 3 },
    });
    await consumer.take(3);
    consumer.say({ reject: [{ range: at(6), delayMs: 0, reason: "" }] });
    consumer.acknowledge(5, 7);
    await consumer.take(3);
    expect(consumer.delivered.filter(({ attempt }) => attempt === 2)).toEqual([{ offset: 6, attempt: 2 }]);
    const left = await consumer.halfClose();
    expect(left.every(({ event }) => event?.kind !== "closed")).toBe(true);
  });

  test("a closed topic, ends its consumers once everything is settled", async () => {
    const name = await subscribe(3);
    await node.engine.topics.close(name);
    const consumer = await open(name);
    await consumer.take(3);
    consumer.acknowledge(0, 1, 2);
    await consumer.until(({ event }) => (event?.kind === "closed" ? true : undefined));
    await expect(consumer.next()).rejects.toThrow("ended");
  });

  test("consumers that left, leave nothing behind", async () => {
    const name = await subscribe(3);
    const consumer = await open(name);
    await consumer.take(3);
    await consumer.halfClose();
    const { subscriptionId } = await node.engine.subscriptions.get(name);
    expect((await node.engine.subscriptions.list({ prefix: name, topic: "", after: "", count: 1 })).hasMore).toBe(
      false,
    );
    await expect.poll(async () => (await store.readProgress(subscriptionId))?.members).toEqual([]);
    expect(await store.readProgress(subscriptionId)).toMatchObject({ unsettled: 3, cursor: 0 });
  });
});
