/** What consumers once ran into: each a case of its own, on Postgres. */

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { defaultLimits, type DeliveryPolicy, keySlots, type Sharing, type Window } from "../../src/core/index.js";
import { Claim } from "../../src/engine/consume/claim.js";
import { Consumer } from "../../src/engine/consume/consumer.js";
import { createOutstandingBudget } from "../../src/engine/consume/outstanding-budget.js";
import { step, unread } from "../../src/engine/consume/record-life.js";
import type { ReadyRun } from "../../src/engine/consume/record-run.js";
import { KeyedRecords } from "../../src/engine/consume/keyed-records.js";
import { SettleWriter } from "../../src/engine/consume/settle-writer.js";
import { slotShare } from "../../src/engine/consume/slot-share.js";
import type { ClaimKind, Store } from "../../src/store/index.js";
import { sleep } from "../../src/streams/index.js";
import { systemClock } from "../../src/telemetry/index.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { openTestEngine, range, type TestEngine } from "../support/open-engine.js";
import { holdAll, recordsOf } from "./control-plane.js";
import { openConsumer, type TestConsumer } from "./test-consumer.js";

const at = (offset: number) => ({ firstOffset: offset, nextOffset: offset + 1 });
const noSignal = new AbortController().signal;
const budget = createOutstandingBudget(defaultLimits);

describe("consume, what once went wrong", () => {
  let database: TestDatabase;
  let store: Store;
  let node: TestEngine;
  let names = 0;

  beforeAll(async () => {
    database = await createTestDatabase("postgres");
    store = await database.openStore();
    node = await openTestEngine(store, { headPollMs: 20, heartbeatMinMs: 60_000, heartbeatMaxMs: 60_000 });
  });
  afterAll(async () => {
    await node?.engine.close();
    await database?.drop();
  });

  async function subscribe(count: number, sharing: Sharing, policy: Partial<DeliveryPolicy> = {}): Promise<string> {
    const name = `r-${++names}`;
    const limits = { recordBytes: 0, batchRecords: 0, batchBytes: 0 };
    const retention = { ageMs: 0, records: 0, bytes: 0 };
    await node.engine.topics.create({ name, labels: new Map(), limits, retention, keyed: false });
    await publish(name, range(0, count));
    const start = { at: "earliest" } as const;
    await node.engine.subscriptions.create({ name, topic: name, start, sharing, policy, labels: new Map() });
    return name;
  }

  async function publish(topic: string, numbers: readonly number[]): Promise<void> {
    const batch = recordsOf(numbers.map((number) => ({ key: `k${number % 10}`, text: "x" })));
    await node.engine.append({ topic, batch, expectedOffset: undefined, producer: undefined, epoch: 0 });
  }

  async function open(subscription: string, window: Partial<Window> = {}, on = node): Promise<TestConsumer> {
    const consumer = openConsumer(on.engine, {
      kind: "subscription",
      subscription,
      consumer: "",
      window: { records: 1000, bytes: 1_000_000, ...window },
    });
    await consumer.next();
    return consumer;
  }

  test("a deadline passes, also while the consumer goes on acknowledging other records", async () => {
    let aheadMs = 0;
    const clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + aheadMs };
    const other = await openTestEngine(store, { headPollMs: 20, sessionLeaseMs: 600_000, clock });
    try {
      const name = await subscribe(500, "shared", { ackDeadlineMs: 30_000 });
      const consumer = await open(name, { records: 2 }, other);
      await consumer.take(2);
      consumer.acknowledge(1);
      await consumer.take(1);
      aheadMs = 31_000;
      const isAgain = (): boolean => consumer.delivered.some(({ offset, attempt }) => offset === 0 && attempt === 2);
      const until = Date.now() + 2000;
      for (let done = 2; Date.now() < until && !isAgain(); await sleep(10)) {
        for (; done < consumer.delivered.length; done++) consumer.acknowledge(consumer.delivered[done]?.offset ?? 0);
        await consumer.next();
      }
      expect(isAgain()).toBe(true);
      await consumer.lose();
    } finally {
      await other.engine.close();
    }
  });

  test("a call that fails while it has much to tell, ends", async () => {
    const name = await subscribe(1, "shared");
    const consumer = await open(name);
    consumer.say({ release: range(0, 12_000).map((index) => at(10 + 2 * index)) });
    await sleep(50);
    await node.engine.subscriptions.delete(name);
    await sleep(100);
    await expect(consumer.next()).rejects.toMatchObject({ code: "subscription-not-found" });
  });

  test("redriven records that wait for their turn, do not keep new ones back", async () => {
    const name = await subscribe(10, "shared", { retryBacklog: 1 });
    const first = await open(name, { records: 4 });
    await first.take(4);
    first.say({
      park: range(0, 4).map((offset) => ({ range: at(offset), reason: "" })),
      window: { records: 0, bytes: 1 },
    });
    await first.told("parked", 4);
    const all = { subscription: name, offsets: [], filter: undefined };
    await node.engine.subscriptions.redriveParked(all, 0.01, noSignal);
    const second = await open(name);
    await sleep(200);
    await second.take(7);
    const offsets = second.delivered.map(({ offset }) => offset);
    expect(offsets.sort((one, other) => one - other)).toEqual([0, ...range(4, 10)]);
    await Promise.all([first.lose(), second.lose()]);
  });

  test("the shares of nodes in a KEYED subscription, leave nobody out", () => {
    const sharesOf = (...consumers: number[]): number[] => {
      const members = consumers.map((count, session) => ({ session, consumers: count, facts: "[]" }));
      return members.map(({ session, consumers: count }) => slotShare(members, session, count));
    };
    expect(sharesOf(1, 1)).toEqual([16, 16]);
    expect(sharesOf(31, 1, 1)).toEqual([30, 1, 1]);
    expect(sharesOf(1000, 0, 1)).toEqual([31, 0, 1]);
    expect(Math.min(...sharesOf(...range(0, 20).map(() => 1)))).toBe(1);
  });

  test("EXCLUSIVE, a consumer that was let in while the node lost its hold, is served", async () => {
    const name = await subscribe(3, "exclusive");
    const { subscriptionId } = await node.engine.subscriptions.get(name);
    let letIn = (): void => undefined;
    const isLetIn = new Promise<void>((resolve) => (letIn = resolve));
    let tickets = 0;
    // Its second ticket is long on its way.
    const slow: Store = Object.create(store, {
      takeTicket: {
        value: async (id: number) => {
          if (++tickets === 2) await isLetIn;
          return store.takeTicket(id);
        },
      },
    }) as Store;
    const other = await openTestEngine(slow, { headPollMs: 60_000, sessionLeaseMs: 1500 });
    try {
      const first = await open(name, { records: 0 }, other);
      const second = open(name, {}, other);
      await expect.poll(() => tickets).toBe(2);
      const { members = [] } = (await store.readProgress(subscriptionId)) ?? {};
      await store.closeSession(members[0]?.session ?? 0);
      await expect(first.next()).rejects.toThrow("MILLRACE_SESSION_LEASE_MS");
      letIn();
      await (await second).take(3);
      await (await second).lose();
    } finally {
      await other.engine.close();
    }
  });

  test("KEYED, a redriven record that is worked on keeps its key on its node", async () => {
    const name = await subscribe(40, "keyed");
    const one = await open(name, { records: 1 });
    expect(await one.take(1)).toEqual([{ offset: 0, attempt: 1 }]);
    one.say({ park: [{ range: at(0), reason: "" }], window: { records: 0, bytes: 1 } });
    await one.told("parked", 1);
    await node.engine.subscriptions.redriveParked({ subscription: name, offsets: [], filter: undefined }, 0, noSignal);
    await sleep(100);
    one.say({ window: { records: 1, bytes: 1000 } });
    while (!one.delivered.some(({ offset, attempt }) => offset === 0 && attempt === 2)) {
      one.acknowledge(...(await one.take(1)).map(({ offset }) => offset).filter((offset) => offset !== 0));
    }
    const other = await openTestEngine(store, { headPollMs: 20 });
    try {
      // So many that all slots but one become theirs.
      const others = await Promise.all(range(0, 31).map(() => open(name, {}, other)));
      const takers = others.map((each) => each.take(40).catch(() => []));
      // It may have worked off all others by the time that the redriven one came.
      await publish(name, range(40, 80));
      await expect.poll(() => others.some(({ delivered }) => delivered.length > 0), { timeout: 20_000 }).toBe(true);
      const taken = others.flatMap(({ delivered }) => delivered.map(({ offset }) => offset));
      expect(taken.filter((offset) => offset % 10 === 0)).toEqual([]);
      await Promise.all(others.map((each) => each.lose()));
      await Promise.all(takers);
    } finally {
      await other.engine.close();
    }
    await one.lose();
  });

  test("a redriven record, comes also when the topic was trimmed beyond it", async () => {
    const name = await subscribe(10, "shared");
    const subscription = await node.engine.subscriptions.get(name);
    const { session, claimId } = await holdAll(store, subscription, 10);
    const parked = [4, 5].map((offset) => ({
      claimId,
      offset,
      deliveries: 1,
      slot: 0,
      lane: undefined,
      reason: "bad",
    }));
    const { subscriptionId } = subscription;
    await store.settle({ subscriptionId, session, settled: [], settledRetries: [], retries: [], parked });
    await store.closeSession(session);
    await node.engine.topics.trim(name, 8, 0);
    await node.engine.subscriptions.redriveParked({ subscription: name, offsets: [], filter: undefined }, 2, noSignal);
    const consumer = await open(name);
    const offsets = (await consumer.take(4)).map(({ offset }) => offset);
    expect(offsets.sort((one, other) => one - other)).toEqual([4, 5, 8, 9]);
    await consumer.lose();
  });

  test("KEYED, records without a key do not wait until there are no others", () => {
    const [ready, claim, consumer] = [new KeyedRecords(), claimOf("slot", 0), consumerOf(1)];
    ready.share([consumer]);
    const keyQueues = [0, undefined, keySlots, 2 * keySlots];
    keyQueues.forEach((keyQueue, offset) => ready.add({ ...recordOf(claim, offset), keyQueue }));
    expect(range(0, 4).map(() => takeFrom(ready, consumer, false))).toEqual([0, 1, 2, 3]);
  });

  test("KEYED, what comes again is not hidden behind what may not be handed out now", () => {
    const [ready, claim, consumer] = [new KeyedRecords(), claimOf("slot", 0), consumerOf(1)];
    ready.share([consumer]);
    ready.add({ ...recordOf(claim, 0), keyQueue: 0 });
    ready.hold({ ...recordOf(claim, 1), keyQueue: keySlots });
    ready.addRedelivery({ ...recordOf(claim, 1), keyQueue: keySlots });
    expect(takeFrom(ready, consumer, true)).toBe(1);
    expect(takeFrom(ready, consumer, true)).toBeUndefined();
    expect(takeFrom(ready, consumer, false)).toBe(0);
  });

  test("what is flushed, is written while there is always more to write", async () => {
    const nothing = () => undefined;
    const writer = new SettleWriter({
      clock: systemClock,
      budget,
      intervalMs: 10,
      async settle() {
        await sleep(10);
        return { lostClaims: [], settledElsewhere: [], gone: [] };
      },
      onNoted: nothing,
      onElsewhere: nothing,
      onParked: nothing,
      onLost: nothing,
      onDone: nothing,
      onProgress: nothing,
      onFault: nothing,
    });
    const claim = claimOf("slot", 0);
    const told = { consumer: consumerOf(1), verdict: "acknowledged", attempt: 1 } as const;
    let offset = 0;
    const busy = setInterval(() => writer.acknowledge(recordOf(claim, offset++), told), 1);
    try {
      await sleep(30);
      const before = offset;
      await writer.flush();
      expect(claim.todo.first).toBeGreaterThanOrEqual(before);
    } finally {
      clearInterval(busy);
    }
  });
});

function recordOf(claim: Claim, offset: number): ReadyRun {
  const frames = { page: new Uint8Array(1), ends: Uint32Array.of(1), at: 0 };
  const state = step(unread, { type: "read" });
  return { claim, firstOffset: offset, nextOffset: offset + 1, keyQueue: undefined, state, frames };
}

/** The offset of the next record, taken out. */
function takeFrom(ready: KeyedRecords, consumer: Consumer, redeliveriesOnly: boolean): number | undefined {
  const run = ready.peek(consumer, redeliveriesOnly);
  return run && ready.take(consumer, run, 1).firstOffset;
}

function claimOf(kind: ClaimKind, slot: number): Claim {
  return new Claim({ claimId: slot, kind, slot, todo: [{ firstOffset: 0, nextOffset: Number.POSITIVE_INFINITY }] }, 0);
}

function consumerOf(id: number): Consumer {
  const identity = { id, name: "", peer: "", node: "" };
  return new Consumer(identity, { records: 10, bytes: 1000 }, { clock: systemClock, budget });
}
