/** The engine's parts for subscriptions except deliveries, on a real store, without consumers. */

import { BufferPool, defaultLimits, noRetention } from "../../src/core/index.js";
import { Appender } from "../../src/engine/writing/appender.js";
import { commitDelivered } from "../../src/engine/consume/commit/commit.js";
import type { ConsumerGroups } from "../../src/engine/consume/groups.js";
import { createSubscriptions } from "../../src/engine/control/subscriptions.js";
import { createDatabaseLanes } from "../../src/engine/database-lanes.js";
import type {
  CommitCommand,
  CommittedOutput,
  ConsumerFacts,
  CreateSubscriptionCommand,
  FollowMessage,
  Subscriptions,
} from "../../src/engine/index.js";
import { followTopic } from "../../src/engine/reading/follow.js";
import { createPageBudget } from "../../src/engine/reading/page-allowance.js";
import { createPageReader } from "../../src/engine/reading/page-reader.js";
import { createPublishBudget } from "../../src/engine/writing/publish-budget.js";
import { createSharedCommits } from "../../src/engine/writing/shared-commits.js";
import { createTailBudget } from "../../src/engine/topics/tail.js";
import { Topic } from "../../src/engine/topics/topic.js";
import { TopicCache } from "../../src/engine/topics/topic-cache.js";
import { AppendRequest } from "../../src/gen/millrace/v1/record_service.js";
import type { Store, StoredSubscription } from "../../src/store/index.js";
import { createLiveStreams, createMetrics, silentLogger, systemClock } from "../../src/telemetry/index.js";
import { type RecordBatch, splitRequest } from "../../src/wire/index.js";
import { createdTopic } from "../store/topic-writes.js";

/** A record with only a key and a text. */
export interface PlainRecord {
  readonly key?: string;
  readonly text?: string;
}

export interface ControlPlane {
  readonly subscriptions: Subscriptions;
  readonly cache: TopicCache;
  /** What consumers were informed of, in order. */
  readonly told: string[];
  /** The consumers of this node. */
  readonly facts: ConsumerFacts[];
  commit(command: Partial<CommitCommand> & Pick<CommitCommand, "session">): Promise<readonly CommittedOutput[]>;
  /** By the topic's appender, as publishing does. */
  append(topic: string, records: readonly PlainRecord[]): Promise<number>;
  follow(topic: string): AsyncGenerator<FollowMessage, void, undefined>;
  close(): Promise<void>;
}

export const subscriptionOf = (name: string, topic: string, change: Partial<CreateSubscriptionCommand> = {}) => ({
  name,
  topic,
  start: { at: "earliest" } as const,
  sharing: "shared" as const,
  policy: {},
  labels: new Map<string, string>(),
  ...change,
});

export function recordsOf(records: readonly PlainRecord[]): RecordBatch {
  const request = AppendRequest.encode({
    topic: "t",
    records: records.map(({ key = "", text = "x" }) => ({
      key,
      attributes: new Map<string, string>(),
      body: { $case: "text" as const, value: text },
      location: undefined,
      lifetime: undefined,
      eventTime: undefined,
      time: undefined,
      offset: undefined,
    })),
    expectedOffset: undefined,
    producer: undefined,
    epoch: 0,
  }).finish();
  return splitRequest(request, defaultLimits).batch;
}

export function openControlPlane(store: Store): ControlPlane {
  const limits = defaultLimits;
  const metrics = createMetrics();
  const clock = systemClock;
  const stampClock = { now: () => clock.wallMicros() };
  const lanes = createDatabaseLanes(store, limits, metrics);
  const tails = createTailBudget(limits);
  const publishBudget = createPublishBudget(limits);
  const pageBudget = createPageBudget(limits);
  const buffers = new BufferPool(limits.bufferPoolBytes);
  const commits = createSharedCommits(lanes, limits, 1);
  const onAppended = () => undefined;
  const tasks: Promise<unknown>[] = [];
  const cache = new TopicCache({
    lanes,
    limits,
    autoCreate: true,
    track: (task) => tasks.push(task),
    open(stored, onOver) {
      const topic = new Topic(stored, limits, { tail: tails.create(stored.head.nextOffset), onOver });
      const writer = new Appender({
        topic,
        head: stored.head,
        lanes,
        commits,
        stampClock: { ...stampClock, anchor: () => undefined },
        clock,
        metrics,
        limits,
        budget: publishBudget.forTopic(),
        buffers,
        cachedProducers: { count: 0, max: 1000 },
        onAppended,
      });
      return { topic, writer };
    },
  });
  const told: string[] = [];
  const facts: ConsumerFacts[] = [];
  const groups: ConsumerGroups = {
    factsOf: () => facts,
    nudge: (subscriptionId) => told.push(`nudged ${subscriptionId}`),
    settledByCommit(subscriptionId, session, records) {
      const ranges = records.map(
        ({ firstOffset, nextOffset, attempt }) => `${firstOffset}-${nextOffset - 1}@${attempt}`,
      );
      told.push(`settled ${subscriptionId} ${session}: ${ranges.join(" ")}`);
      return true;
    },
    outstandingSlots: () => new Map(),
  };
  return {
    subscriptions: createSubscriptions({ cache, lanes, groups, clock, node: "here" }),
    cache,
    told,
    facts,
    commit: (command) =>
      commitDelivered(
        { cache, lanes, limits, stampClock, metrics, logger: silentLogger, groups, onAppended },
        { subscription: "s", acknowledge: [], append: [], ...command },
      ),
    async append(name, records) {
      const { topic, writer, release } = await cache.acquireForPublish(name, undefined);
      try {
        const order = { batch: recordsOf(records), expectedOffset: undefined, producer: undefined, call: topic };
        return (await (await writer.enqueue(order)).acknowledged).nextOffset;
      } finally {
        release();
      }
    },
    follow: (topic) =>
      followTopic(
        {
          cache,
          lanes,
          pages: createPageReader(lanes, limits, metrics),
          pageBudget,
          buffers,
          limits,
          metrics,
          clock,
          stampClock,
          random: Math.random,
        },
        { topic, start: { at: "earliest" }, whenBehind: "catch-up", whenTrimmed: "fail", filter: undefined },
        createLiveStreams().open("test", "follow"),
        new AbortController().signal,
      ),
    async close() {
      await cache.close();
      await Promise.all(tasks);
    },
  };
}

/** A topic with default limits and retention. */
export async function createTopic(store: Store, name: string, keyed = false): Promise<void> {
  await createdTopic(store, name, { epoch: 7, keyed, retention: noRetention });
}

let lastSession = 0;

/** Opens a session that holds all claims of a subscription; of a SHARED one, a block of everything. */
export async function holdAll(store: Store, subscription: StoredSubscription, untilOffset: number) {
  const { subscriptionId, generation, sharing } = subscription;
  const session = ++lastSession;
  await store.openSession({ session, node: "there", leaseMs: 60_000 });
  if (sharing === "shared") {
    const claim = await store.claimBlock({
      subscriptionId,
      session,
      generation,
      count: untilOffset,
      fromOffset: 0,
      untilOffset,
    });
    if (claim === undefined) throw new Error("Nothing is left to claim");
    return { session, claimId: claim.claimId };
  }
  const sync = await store.syncSubscription(subscriptionId, { session, consumers: 1, facts: "[]" });
  const ids = sync?.claims.map(({ claimId }) => claimId) ?? [];
  const [claim] = await store.takeClaims({ subscriptionId, session, generation, claimIds: ids });
  if (claim === undefined) throw new Error("Nothing is left to claim");
  return { session, claimId: claim.claimId };
}
