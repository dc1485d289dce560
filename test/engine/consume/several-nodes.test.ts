/** Several nodes on one Postgres, each an engine with a store of its own. */

import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { keySlots, type Limits, noRetention, type Sharing } from "../../../src/core/index.js";
import type { Store } from "../../../src/store/index.js";
import { type Clock, systemClock } from "../../../src/telemetry/index.js";
import { createTestDatabase, runOn, type TestDatabase } from "../../support/database.js";
import { openTestEngine, range, type TestEngine } from "../../support/open-engine.js";
import { recordsOf } from "../control-plane.js";
import { openConsumer, type TestConsumer } from "./test-consumer.js";

describe("consume on several nodes", () => {
  let database: TestDatabase;
  let stores: Store[];
  const nodes: TestEngine[] = [];
  let names = 0;

  beforeAll(async () => {
    database = await createTestDatabase("postgres");
    stores = await Promise.all([database.openStore(), database.openStore()]);
  });
  afterEach(async () => {
    await Promise.all(nodes.splice(0).map((node) => node.engine.close()));
  });
  afterAll(() => database?.drop());

  async function openNode(
    index: number,
    {
      store = stores[index] as Store,
      ...change
    }: Partial<Limits> & { readonly clock?: Clock; readonly store?: Store } = {},
  ) {
    const quick = { headPollMs: 20, heartbeatMinMs: 60_000, heartbeatMaxMs: 60_000 };
    const node = await openTestEngine(store, { ...quick, ...change });
    nodes.push(node);
    return node;
  }

  async function subscribe({ engine }: TestEngine, count: number, sharing: Sharing, keys = 50): Promise<string> {
    const name = `n-${++names}`;
    const limits = { recordBytes: 0, batchRecords: 0, batchBytes: 0 };
    await engine.topics.create({ name, labels: new Map(), limits, retention: noRetention, keyed: false });
    const batch = recordsOf(range(0, count).map((number) => ({ key: `k${number % keys}`, text: "x" })));
    await engine.append({ topic: name, batch, expectedOffset: undefined, producer: undefined, epoch: 0 });
    const start = { at: "earliest" } as const;
    await engine.subscriptions.create({ name, topic: name, start, sharing, policy: {}, labels: new Map() });
    return name;
  }

  function open({ engine }: TestEngine, subscription: string, records = 10): TestConsumer {
    const window = { records, bytes: 1_000_000 };
    return openConsumer(engine, { kind: "subscription", subscription, consumer: "", window });
  }

  /** The session that consumes it, which is known shortly after its node delivered the first records. */
  async function memberOf(subscriptionId: number): Promise<number> {
    for (;;) {
      const progress = await (stores[0] as Store).readProgress(subscriptionId);
      const [member] = progress?.members ?? [];
      if (member !== undefined) return member.session;
    }
  }

  /** Consumers acknowledge all records, until they have received `count` records together. */
  async function consumeAll(consumers: readonly TestConsumer[], count: number): Promise<void> {
    const total = (): number => consumers.reduce((sum, { delivered }) => sum + delivered.length, 0);
    await Promise.all(
      consumers.map(async (consumer) => {
        while (total() < count) {
          const from = consumer.delivered.length;
          await consumer.next();
          consumer.acknowledge(...consumer.delivered.slice(from).map(({ offset }) => offset));
          // The other consumers may have got the rest.
          if (total() >= count) for (const each of consumers) each.say({ window: { records: 0, bytes: 1 } });
        }
      }),
    );
  }

  const offsetsOf = (consumers: readonly TestConsumer[]): number[] =>
    consumers.flatMap(({ delivered }) => delivered.map(({ offset }) => offset)).sort((one, other) => one - other);

  test("SHARED, two nodes hand out each record once, and both get a part", async () => {
    const [one, two] = [await openNode(0), await openNode(1)];
    const name = await subscribe(one, 1000, "shared");
    const consumers = [open(one, name), open(two, name)];
    await Promise.all(consumers.map((consumer) => consumer.next()));
    await consumeAll(consumers, 1000);
    expect(offsetsOf(consumers)).toEqual(range(0, 1000));
    for (const { delivered } of consumers) expect(delivered.length).toBeGreaterThan(0);
    await Promise.all(consumers.map((consumer) => consumer.halfClose()));
  });

  test("SHARED, records that a node has claimed go to others when no consumer there takes any", async () => {
    const [one, two] = [await openNode(0), await openNode(1)];
    const name = await subscribe(one, 500, "shared");
    const first = open(one, name, 100);
    await first.next();
    await first.take(100);
    const second = open(two, name, 1000);
    await second.next();
    first.say({ acknowledgeThrough: 499, window: { records: 0, bytes: 0 } });
    await second.take(400);
    expect(offsetsOf([first, second])).toEqual(range(0, 500));
    await Promise.all([first.halfClose(), second.halfClose()]);
  });

  test("KEYED, keys are spread over the nodes and return when one leaves, each in order", async () => {
    const [one, two] = [await openNode(0), await openNode(1)];
    const name = await subscribe(one, 1000, "keyed");
    const { subscriptionId } = await one.engine.subscriptions.get(name);
    const slotsOf = async (): Promise<number[]> => {
      const holders = new Map<number, number>();
      const member = { session: 0, consumers: 0, facts: "[]" };
      const sync = await (stores[0] as Store).syncSubscription(subscriptionId, member);
      await (stores[0] as Store).leaveSubscription(subscriptionId, 0);
      for (const { session, kind } of sync?.claims ?? []) {
        if (kind === "slot" && session !== undefined) holders.set(session, (holders.get(session) ?? 0) + 1);
      }
      return [...holders.values()].sort((a, b) => a - b);
    };
    const first = open(one, name, 0);
    await first.next();
    await expect.poll(slotsOf).toEqual([keySlots]);
    const second = open(two, name, 0);
    await second.next();
    await expect.poll(slotsOf, { timeout: 5000 }).toEqual([keySlots / 2, keySlots / 2]);
    for (const consumer of [first, second]) consumer.say({ window: { records: 10, bytes: 1_000_000 } });
    await consumeAll([first, second], 500);
    await second.halfClose();
    await expect.poll(slotsOf, { timeout: 5000 }).toEqual([keySlots]);
    first.say({ window: { records: 10, bytes: 1_000_000 } });
    const left = 1000 - new Set(offsetsOf([first, second])).size;
    await consumeAll([first], first.delivered.length + left);
    expect(new Set(offsetsOf([first, second])).size).toBe(1000);
    for (const { delivered } of [first, second]) {
      const last = new Map<number, number>();
      for (const { offset, attempt } of delivered) {
        const key = offset % 50;
        if (attempt === 1) expect(offset).toBeGreaterThan(last.get(key) ?? -1);
        last.set(key, offset);
      }
    }
    await first.halfClose();
  });

  test.each(["shared", "keyed"] as const)(
    "%s, undelivered records of a draining node go to others while a consumer still works",
    async (sharing) => {
      const [one, two] = [await openNode(0, { claimRecords: 100 }), await openNode(1)];
      const name = await subscribe(one, 500, sharing, 500);
      const draining = open(one, name, 1);
      await draining.next();
      const [busy] = await draining.take(1);
      draining.drain();
      const other = open(two, name, 100);
      await other.next();
      // All but the block of the record that is worked on, in KEYED all but its slot.
      await consumeAll([other], 400);
      expect(offsetsOf([other])).not.toContain(busy?.offset);
      draining.acknowledge(busy?.offset ?? -1);
      expect(await draining.told("acknowledged", 1)).toEqual([busy?.offset]);
      await expect(draining.next()).rejects.toMatchObject({ code: "draining" });
      await other.lose();
    },
  );

  test("EXCLUSIVE, a newer consumer on another node takes over, and gets the records of the older one", async () => {
    const [one, two] = [await openNode(0), await openNode(1)];
    const name = await subscribe(one, 30, "exclusive");
    const older = open(one, name);
    await older.take(10);
    older.acknowledge(0, 1, 2);
    expect(await older.told("acknowledged", 3)).toEqual([0, 1, 2]);
    const newer = open(two, name, 100);
    await newer.next();
    await expect(older.take(100)).rejects.toMatchObject({ code: "consumer-fenced" });
    await newer.take(27);
    expect(newer.delivered.map(({ offset }) => offset)).toEqual(range(3, 30));
    await newer.halfClose();
  });

  /** Commits each record of a consumer through another node, until the consumer has received `count` of them. */
  async function commitThrough(
    { engine }: TestEngine,
    consumer: TestConsumer,
    subscription: string,
    count: number,
    onCommitted: (committed: number) => Promise<void> | undefined = () => undefined,
  ): Promise<void> {
    const { session } = await consumer.until(({ event }) => (event?.kind === "started" ? event : undefined));
    let committed = 0;
    while (committed < count) {
      const [record] = consumer.delivered.slice(committed);
      if (record === undefined) {
        await consumer.next();
        continue;
      }
      const { offset, attempt } = record;
      const acknowledge = [{ range: { firstOffset: offset, nextOffset: offset + 1 }, attempt }];
      await engine.commit({ subscription, session, acknowledge, append: [] });
      committed += 1;
      await onCommitted(committed);
    }
  }

  test("KEYED, slots that are taken while a page is read begin with their first records", async () => {
    let readPages = 0;
    let isTaken = (): boolean => true;
    const held: (() => void)[] = [];
    const slow = Object.create(stores[0] as Store, {
      readPage: {
        value: async (request: Parameters<Store["readPage"]>[0]) => {
          const page = await (stores[0] as Store).readPage(request);
          readPages += 1;
          // The third page arrives when the slots of the other node have been taken.
          if (readPages === 3) await new Promise<void>((resolve) => held.push(resolve));
          return page;
        },
      },
      takeClaims: {
        value: async (...call: Parameters<Store["takeClaims"]>) => {
          const taken = await (stores[0] as Store).takeClaims(...call);
          // They are added in the next turns.
          if (taken.length > 0 && isTaken())
            setImmediate(() => setImmediate(() => held.splice(0).forEach((go) => go())));
          return taken;
        },
      },
    }) as Store;
    isTaken = () => held.length > 0;
    const pages = { pageBytesMin: 1000, pageBytesMax: 1000, tailTopicBytes: 1, tailNodeBytes: 1 };
    const two = await openNode(1);
    const name = await subscribe(two, 400, "keyed");
    const other = open(two, name, 0);
    await other.next();
    const one = await openNode(0, { store: slow, ...pages });
    const consumer = open(one, name, 1000);
    const taking = consumeAll([consumer], 400);
    await expect.poll(() => held.length, { timeout: 10_000 }).toBe(1);
    await other.halfClose();
    await taking;
    const last = new Map<number, number>();
    for (const { offset } of consumer.delivered) {
      expect(offset).toBeGreaterThan(last.get(offset % 50) ?? -1);
      last.set(offset % 50, offset);
    }
    expect(consumer.delivered).toHaveLength(400);
    await consumer.halfClose();
  });

  test("KEYED, a Commit through another node frees its key at once, and not at the deadline", async () => {
    const [one, two] = [await openNode(0), await openNode(1)];
    const name = await subscribe(one, 100, "keyed", 4);
    // The deadline is as long as the test may take.
    const consumer = open(one, name, 10);
    await commitThrough(two, consumer, name, 100);
    expect(consumer.delivered.map(({ offset }) => offset).toSorted((a, b) => a - b)).toEqual(range(0, 100));
    expect(new Set(consumer.delivered.map(({ attempt }) => attempt))).toEqual(new Set([1]));
    await consumer.halfClose();
  });

  test("KEYED, Commits made while the connection for notices was killed are found, and it reconnects", async () => {
    const [one, two] = [await openNode(0), await openNode(1)];
    const name = await subscribe(one, 100, "keyed", 4);
    const consumer = open(one, name, 10);
    const { connection } = database;
    if (connection.kind !== "postgres") throw new Error("It has no URL");
    const kill = `select pg_terminate_backend(pid, 5000) from pg_stat_activity
      where datname = current_database() and query like 'listen millrace_settled%'`;
    let killed = 0;
    await commitThrough(two, consumer, name, 100, async (committed) => {
      if (committed % 20 === 0) killed += (await runOn(connection.url, kill)).rows.length;
    });
    expect(killed).toBeGreaterThan(2);
    expect(consumer.delivered.map(({ offset }) => offset).toSorted((a, b) => a - b)).toEqual(range(0, 100));
    await consumer.halfClose();
  });

  test("a node whose lease is over delivers nothing, another takes its records, and its verdicts are void", async () => {
    // Like a stopped process: its renewals see no time pass, and then its clock jumps.
    let aheadMs = 0;
    const clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + aheadMs };
    const frozen = await openNode(0, { clock, sessionLeaseMs: 600_000 });
    const name = await subscribe(frozen, 20, "shared");
    const stale = open(frozen, name, 5);
    await stale.take(5);
    aheadMs = 700_000;
    // The other node then sees a lease from now.
    const { subscriptionId } = await frozen.engine.subscriptions.get(name);
    await (stores[1] as Store).renewSession(await memberOf(subscriptionId), 1);
    const other = await openNode(1, { sessionLeaseMs: 1000 });
    const taker = open(other, name, 100);
    await taker.take(20);
    expect(offsetsOf([taker])).toEqual(range(0, 20));
    taker.acknowledge(...range(0, 20));
    await taker.told("acknowledged", 20);
    stale.say({
      acknowledge: [{ firstOffset: 0, nextOffset: 2 }],
      // `stale` names the attempt that it had, although the next one is the second.
      reject: [{ range: { firstOffset: 2, nextOffset: 4 }, delayMs: 0, reason: "" }],
      park: [{ range: { firstOffset: 4, nextOffset: 5 }, reason: "" }],
    });
    expect((await stale.until(({ confirmed }) => confirmed))?.stale).toEqual([
      { range: { firstOffset: 0, nextOffset: 5 }, attempt: 1 },
    ]);
    expect(stale.delivered).toHaveLength(5);
    await taker.halfClose();
    await stale.lose();
  });

  test("records that a single node claimed before they were published go to a new node with room", async () => {
    const node = await openNode(0);
    const name = await subscribe(node, 1, "shared");
    const busy = open(node, name, 1);
    expect(await busy.take(1)).toEqual([{ offset: 0, attempt: 1 }]);
    const { subscriptionId } = (await (stores[0] as Store).findSubscription(name)) as { subscriptionId: number };
    const session = await memberOf(subscriptionId);
    const publish = (count: number) => {
      const batch = recordsOf(range(0, count).map(() => ({ text: "x" })));
      return node.engine.append({ topic: name, batch, expectedOffset: undefined, producer: undefined, epoch: 0 });
    };
    // From now on the node knows that it is alone, and claims ahead. The window of its consumer stays full.
    await expect.poll(async () => (await publish(1), aheadOf(session))).toBeGreaterThan(5);
    const other = open(await openNode(1), name, 100);
    await other.until(({ event }) => event?.kind === "started" || undefined);
    // The first node continues with what it has read. The other, faster one gets the rest, and soon only it has room.
    await expect.poll(() => aheadOf(session)).toBe(0);
    let taken = 0;
    const taking = other.take(1).then((records) => (taken = records.length));
    // A message may contain several.
    await expect.poll(async () => (await publish(1), taken)).toBeGreaterThan(0);
    await taking;
    await Promise.all([busy.lose(), other.lose()]);
  });

  /** How many offsets a session has claimed beyond the end of the topic. */
  async function aheadOf(session: number): Promise<number> {
    const { url } = database.connection as { url: string };
    const { rows } = await runOn(
      url,
      `select greatest(0, max(upper(c.todo)) - max(b.next_offset))::int as ahead
       from millrace.claims as c join millrace.subscriptions as s using (subscription_id)
         join millrace.blocks as b using (topic_id)
       where c.session = ${session} and c.kind = 'block'`,
    );
    return (rows[0] as { ahead: number | null }).ahead ?? 0;
  }
});
