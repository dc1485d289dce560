/**
 * For tests of consuming: a node on a database of its own, subscriptions with records, and consumers driven by hand.
 */

import { afterAll, beforeAll, onTestFinished } from "vitest";
import { type DeliveryPolicy, noRetention, type Sharing, type Window } from "../../../src/core/index.js";
import type { Store, SubscriptionProgress } from "../../../src/store/index.js";
import { type Clock, systemClock } from "../../../src/telemetry/index.js";
import { createTestDatabase, type DatabaseKind, type TestDatabase } from "../../support/database.js";
import { openTestEngine, range, type TestEngine } from "../../support/open-engine.js";
import { type PlainRecord, recordsOf } from "../control-plane.js";
import { openConsumer, type TestConsumer } from "./test-consumer.js";

export const at = (offset: number) => ({ firstOffset: offset, nextOffset: offset + 1 });

export const wide: Window = { records: 1000, bytes: 1_000_000 };

export interface Consuming {
  readonly store: Store;
  readonly node: TestEngine;
  /** Moves the clock of the node. Its timers are those of the system, and see the new time when they fire. */
  pass(ms: number): void;
  /** Opens another node, and closes it after the test. */
  openNode(change: NonNullable<Parameters<typeof openTestEngine>[1]>, store?: Store): Promise<TestEngine>;
  createTopic(): Promise<string>;
  append(topic: string, records: readonly PlainRecord[]): Promise<void>;
  /** Appends a record for each number; its key is the last digit. */
  publish(topic: string, numbers: readonly number[]): Promise<void>;
  /** Creates a subscription from the beginning of a topic, with the topic's name. */
  subscribeTo(topic: string, sharing: Sharing, policy: Partial<DeliveryPolicy>): Promise<string>;
  /** Creates a subscription of a new topic with `count` records. */
  subscribe(count: number, sharing?: Sharing, policy?: Partial<DeliveryPolicy>): Promise<string>;
  /** Opens a consumer, and takes its first message. Its window is wide by default. */
  open(subscription: string, window?: Partial<Window>, on?: TestEngine): Promise<TestConsumer>;
  progressOf(subscription: string): Promise<SubscriptionProgress>;
  /** Redrives all parked records. `perSecond` 0: at once. */
  redrive(subscription: string, perSecond: number): Promise<void>;
}

/** Call it in a `describe`, for all of its tests. */
export function consumingOn(kind: DatabaseKind): Consuming {
  let database: TestDatabase;
  let store: Store;
  let node: TestEngine;
  let aheadMs = 0;
  let names = 0;
  const clock: Clock = {
    ...systemClock,
    wallMicros: () => systemClock.wallMicros() + aheadMs * 1000,
    monotonicMs: () => systemClock.monotonicMs() + aheadMs,
  };

  beforeAll(async () => {
    database = await createTestDatabase(kind);
    store = await database.openStore();
    // No lease ends and no heartbeat is due when a test moves the clock.
    const never = { sessionLeaseMs: 3600_000, heartbeatMinMs: 3600_000, heartbeatMaxMs: 3600_000 };
    node = await openTestEngine(store, { clock, headPollMs: 50, ...never });
  });
  afterAll(async () => {
    await node?.engine.close();
    await database?.drop();
  });

  const consuming: Consuming = {
    get store() {
      return store;
    },
    get node() {
      return node;
    },
    pass(ms) {
      aheadMs += ms;
    },
    async openNode(change, on = store) {
      const opened = await openTestEngine(on, change);
      onTestFinished(() => opened.engine.close());
      return opened;
    },
    async createTopic() {
      const name = `consumed-${++names}`;
      const limits = { recordBytes: 0, batchRecords: 0, batchBytes: 0 };
      await node.engine.topics.create({ name, labels: new Map(), limits, retention: noRetention, keyed: false });
      return name;
    },
    async append(topic, records) {
      const batch = recordsOf(records);
      await node.engine.append({ topic, batch, expectedOffset: undefined, producer: undefined, epoch: 0 });
    },
    publish: (topic, numbers) =>
      consuming.append(
        topic,
        numbers.map((number) => ({ key: `k${number % 10}`, text: `${number}` })),
      ),
    async subscribeTo(topic, sharing, policy) {
      const start = { at: "earliest" } as const;
      await node.engine.subscriptions.create({ name: topic, topic, start, sharing, policy, labels: new Map() });
      return topic;
    },
    async subscribe(count, sharing = "shared", policy = {}) {
      const topic = await consuming.createTopic();
      if (count > 0) await consuming.publish(topic, range(0, count));
      return consuming.subscribeTo(topic, sharing, policy);
    },
    async open(subscription, change = {}, on = node) {
      const window = { ...wide, ...change };
      const consumer = openConsumer(on.engine, { kind: "subscription", subscription, consumer: "", window });
      await consumer.next();
      return consumer;
    },
    async progressOf(subscription) {
      const { subscriptionId } = await node.engine.subscriptions.get(subscription);
      const progress = await store.readProgress(subscriptionId);
      if (progress === undefined) throw new Error("The subscription is gone");
      return progress;
    },
    async redrive(subscription, perSecond) {
      const all = { subscription, offsets: [], filter: undefined };
      await node.engine.subscriptions.redriveParked(all, perSecond, new AbortController().signal);
    },
  };
  return consuming;
}
