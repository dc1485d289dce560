import { describe, expect, test } from "vitest";
import type { Store } from "../../../src/store/index.js";
import { databaseKinds, onPostgres } from "../../support/database.js";
import { range } from "../../support/open-engine.js";
import { at, consumingOn, wide } from "./consuming.js";
import type { TestConsumer } from "./test-consumer.js";

describe.each(databaseKinds)("consumers that share on %s", (kind) => {
  const consuming = consumingOn(kind);
  const { open, progressOf, publish, subscribe } = consuming;

  test("SHARED, records are spread by free windows; those of a lost consumer go to the others", async () => {
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

  test("EXCLUSIVE, the lowest offset is redelivered first, however many records are ready after it", async () => {
    const name = await subscribe(1000, "exclusive");
    const consumer = await open(name, { records: 1000 });
    await consumer.take(1000);
    // More records than are fetched ahead, all due before the first one, and delayed by an empty window.
    consumer.say({ window: { records: 0, bytes: 0 } });
    consumer.say({ reject: [{ range: { firstOffset: 100, nextOffset: 1000 }, delayMs: 1, reason: "" }] });
    await consumer.told("rejected", 900);
    consuming.pass(10);
    consumer.say({ reject: [{ range: at(0), delayMs: 0, reason: "" }] });
    await consumer.told("rejected", 1);
    consumer.say({ window: { records: 2000, bytes: 1_000_000 } });
    const again = await consumer.take(901);
    expect(again.map(({ offset }) => offset)).toEqual([0, ...range(100, 1000)]);
    consumer.acknowledge(...range(0, 1000));
    await consumer.told("acknowledged", 1000);
    await consumer.halfClose();
  });

  test("EXCLUSIVE, the newer consumer takes over: the older ends fenced, and its records come first", async () => {
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
});

describe.each(onPostgres)("consumers that share on %s", (kind) => {
  const consuming = consumingOn(kind);
  const { open, openNode, subscribe } = consuming;

  test("EXCLUSIVE, a claim that is released and taken again while its frames are read begins with its first record", async () => {
    const name = await subscribe(30, "exclusive");
    const { subscriptionId } = await consuming.node.engine.subscriptions.get(name);
    const before = await open(name, { records: 10 });
    await before.take(10);
    before.say({ release: [{ firstOffset: 0, nextOffset: 10 }] });
    await before.told("released", 10);
    await before.halfClose();
    const held: (() => void)[] = [];
    let fetches = 0;
    let takes = 0;
    let tickets = 0;
    let letIn = (): void => undefined;
    const isLetIn = new Promise<void>((resolve) => (letIn = resolve));
    const slow: Store = Object.create(consuming.store, {
      readRetryFrames: {
        value: async (...call: Parameters<Store["readRetryFrames"]>) => {
          const frames = await consuming.store.readRetryFrames(...call);
          fetches += 1;
          await new Promise<void>((resolve) => held.push(resolve));
          return frames;
        },
      },
      takeClaims: {
        value: async (...call: Parameters<Store["takeClaims"]>) => {
          const taken = await consuming.store.takeClaims(...call);
          if (taken.length > 0) takes += 1;
          return taken;
        },
      },
      takeTicket: {
        value: async (id: number) => {
          const ticket = await consuming.store.takeTicket(id);
          if (++tickets === 2) await isLetIn;
          return ticket;
        },
      },
    }) as Store;
    const other = await openNode({ headPollMs: 20, heartbeatMinMs: 3600_000, heartbeatMaxMs: 3600_000 }, slow);
    const claimsHeld = async (): Promise<number> => {
      const sync = await consuming.store.syncSubscription(subscriptionId, { session: 0, consumers: 0, facts: "[]" });
      await consuming.store.leaveSubscription(subscriptionId, 0);
      return (sync?.claims ?? []).filter(({ session }) => session !== undefined).length;
    };
    const consumer = await open(name, { records: 100 }, other);
    await expect.poll(() => fetches).toBe(1);
    // The node sees the newer ticket before its own consumer gets it: it releases the claim and takes it again.
    const joining = open(name, { records: 100 }, other);
    await expect(consumer.take(1)).rejects.toMatchObject({ code: "consumer-fenced" });
    await expect.poll(async () => (await claimsHeld()) === 0).toBe(true);
    letIn();
    const next = await joining;
    await expect.poll(() => takes).toBe(2);
    const taking = next.take(30);
    // The frames that were read for the claim before its release arrive first.
    held.shift()?.();
    await expect.poll(() => fetches).toBe(2);
    held.splice(0).forEach((go) => go());
    expect((await taking).map(({ offset }) => offset)).toEqual(range(0, 30));
    await next.lose();
  });

  test("EXCLUSIVE, a consumer that was admitted while the node lost its claim is served", async () => {
    const name = await subscribe(3, "exclusive");
    const { subscriptionId } = await consuming.node.engine.subscriptions.get(name);
    let letIn = (): void => undefined;
    const isLetIn = new Promise<void>((resolve) => (letIn = resolve));
    let tickets = 0;
    // Its second ticket is delayed.
    const slow: Store = Object.create(consuming.store, {
      takeTicket: {
        value: async (id: number) => {
          if (++tickets === 2) await isLetIn;
          return consuming.store.takeTicket(id);
        },
      },
    }) as Store;
    const other = await openNode({ headPollMs: 60_000, sessionLeaseMs: 1500 }, slow);
    const first = await open(name, { records: 0 }, other);
    const second = open(name, {}, other);
    await expect.poll(() => tickets).toBe(2);
    const { members = [] } = (await consuming.store.readProgress(subscriptionId)) ?? {};
    await consuming.store.closeSession(members[0]?.session ?? 0);
    // Heartbeats may precede it.
    await expect(first.take(1)).rejects.toThrow("MILLRACE_SESSION_LEASE_MS");
    letIn();
    await (await second).take(3);
    await (await second).lose();
  });
});
