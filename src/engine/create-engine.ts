/** Builds the engine from its wings. */

import { hostname } from "node:os";
import { BufferPool, type Limits } from "../core/index.js";
import type { Store, StoredTopic } from "../store/index.js";
import { trackTasks } from "../streams/index.js";
import type { Clock, Logger, Metrics } from "../telemetry/index.js";
import { commitDelivered } from "./consume/commit/commit.js";
import { consume } from "./consume/consume.js";
import { createConsumerGroups } from "./consume/groups.js";
import { createReadAhead } from "./consume/group/read-ahead.js";
import { createOutstandingBudget } from "./consume/records/outstanding-budget.js";
import { listQueues } from "./control/queues.js";
import { createSubscriptions } from "./control/subscriptions.js";
import { createTopicControl } from "./control/topics.js";
import { createDatabaseLanes } from "./database-lanes.js";
import type { Engine } from "./engine.js";
import { explainFilter } from "./reading/explain-filter.js";
import { followTopic } from "./reading/follow.js";
import { listState } from "./reading/list-state.js";
import { createPageBudget } from "./reading/page-allowance.js";
import { createPageReader } from "./reading/page-reader.js";
import { readTopic } from "./reading/read.js";
import { getState } from "./reading/state.js";
import { watchState } from "./reading/watch-state.js";
import { createStampClock } from "./topics/stamp-clock.js";
import { createTailBudget } from "./topics/tail.js";
import { Topic } from "./topics/topic.js";
import { randomEpoch } from "./topics/find-or-create.js";
import { type OpenTopic, TopicCache } from "./topics/topic-cache.js";
import { quietWhileAway } from "./upkeep/quiet-logger.js";
import { createUpkeep } from "./upkeep/upkeep.js";
import { appendBatch } from "./writing/append.js";
import { Appender } from "./writing/appender.js";
import { createPublishBudget } from "./writing/publish-budget.js";
import { publishBatches } from "./writing/publish.js";
import { createSharedCommits } from "./writing/shared-commits.js";

export interface EngineParts {
  readonly store: Store;
  readonly limits: Limits;
  /** Whether publishing to a topic that does not exist creates the topic. */
  readonly autoCreate: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** In [0, 1); default Math.random. */
  readonly random?: () => number;
  /**
   * Makes the name of a node's lease on subscriptions: above 0, different from the names of all other nodes. Default:
   * random.
   */
  readonly newSession?: () => number;
}

/** The share of the connections that commit for one topic each. When more commits wait, they are made together. */
const commitsPart = 0.3;

export async function createEngine(parts: EngineParts): Promise<Engine> {
  const logger = quietWhileAway(parts.logger);
  const shared = { ...parts, ...(await createShared({ ...parts, logger })), logger };
  const { limits, metrics, clock, lanes, stampClock, buffers, pageBudget, background } = shared;
  const onAppended = (topic: Topic): Promise<void> | undefined => upkeep.appended(topic);
  const cache = createOpenTopics(shared, onAppended);
  const upkeep = createUpkeep({ ...shared, cache, track: background.track });
  const topics = createTopicControl({
    lanes,
    cache,
    onTrimmed: upkeep.trimmed,
    onRetained: upkeep.retained,
    onTurnedKeyed: upkeep.turnedKeyed,
  });
  const random = parts.random ?? Math.random;
  const pages = createPageReader(lanes, limits, metrics);
  const reading = { cache, lanes, pages, pageBudget, buffers, limits, metrics, clock, stampClock, random };

  const ahead = createReadAhead(limits);
  const budget = createOutstandingBudget(limits);
  const node = `${hostname()}:${process.pid}`;
  const groups = createConsumerGroups({ ...shared, cache, pages, ahead, budget, node, newSession: parts.newSession });
  const subscriptions = createSubscriptions({ cache, lanes, groups, clock, node });
  registerGauges(metrics, { ...shared, cache, ahead, budget });

  const ending = new AbortController();
  upkeep.start(ending.signal);
  return {
    buffers,
    topics,
    append: (command, signal) => appendBatch({ cache, limits, clock }, command, signal),
    publish: (opening, batches, stream, signal) => publishBatches({ cache, limits }, opening, batches, stream, signal),
    read: (command, stream, signal) => readTopic(reading, command, stream, signal),
    follow: (command, stream, signal) => followTopic(reading, command, stream, signal),
    getState: async (command, signal) => getState(reading, command, signal),
    listState: (command, stream, signal) => listState(reading, command, stream, signal),
    explainFilter: async (command, signal) => explainFilter(reading, command, signal),
    watchState: (command, stream, signal) => watchState(reading, command, stream, signal),
    listQueues: (topic) => listQueues({ lanes, cache }, topic),
    subscriptions,
    consume: (opening, requests, stream, signal) =>
      consume({ groups, pageBudget, limits, clock, random }, { opening, requests, stream }, signal),
    commit: (command, signal) => commitDelivered({ ...shared, cache, groups, onAppended }, command, signal),
    async close() {
      ending.abort();
      await groups.close();
      await cache.close();
      await background.settled();
    },
  };
}

type Shared = Awaited<ReturnType<typeof createShared>>;

/** What the wings share. Asks the database for its time first. */
async function createShared({ store, limits, metrics, clock, logger }: EngineParts) {
  const lanes = createDatabaseLanes(store, limits, metrics);
  const stampClock = createStampClock(clock, await lanes.run("live", (db) => db.now()), (aheadMicros) =>
    logger.warn(
      { ahead_seconds: aheadMicros / 1e6 },
      "this machine's clock and the database's do not agree; records are stamped by the database's",
    ),
  );
  return {
    lanes,
    stampClock,
    tails: createTailBudget(limits),
    pageBudget: createPageBudget(limits),
    publishBudget: createPublishBudget(limits),
    buffers: new BufferPool(limits.bufferPoolBytes),
    cachedProducers: { count: 0, max: limits.cachedProducers },
    commits: createSharedCommits(lanes, limits, Math.max(1, Math.floor(store.connections * commitsPart))),
    background: trackTasks((error) => logger.error({ err: error }, "background work failed")),
  };
}

/** The topics of this node, each with its tail and its appender. */
function createOpenTopics(
  shared: EngineParts & Shared,
  onAppended: (topic: Topic) => Promise<void> | undefined,
): TopicCache<Appender> {
  const { lanes, limits, tails, publishBudget, background, logger, autoCreate } = shared;

  function open(stored: StoredTopic, forget: (topic: Topic) => void): OpenTopic<Appender> {
    const topic = new Topic(stored, limits, {
      tail: tails.create(stored.head.nextOffset),
      onOver(over) {
        forget(over);
        if (over.tip.value.state === "lost") background.track(renewEpoch(over));
      },
    });
    const budget = publishBudget.forTopic();
    return { topic, writer: new Appender({ ...shared, topic, head: stored.head, budget, onAppended }) };
  }

  /**
   * Positions given out before the database went back in time may now name other records. A new epoch makes them
   * invalid.
   */
  async function renewEpoch(topic: Topic): Promise<void> {
    logger.error({ topic: topic.name, next_offset: topic.tip.value.nextOffset }, "the database went back in time");
    await lanes.run("append", (db) =>
      db.renewEpoch({ topicId: topic.topicId, epoch: topic.epoch, newEpoch: randomEpoch() }),
    );
  }

  return new TopicCache({ lanes, limits, autoCreate, open, track: background.track });
}

function registerGauges(
  metrics: Metrics,
  shared: Shared & {
    readonly cache: TopicCache;
    readonly ahead: { readonly bytes: number };
    readonly budget: { readonly records: number };
  },
): void {
  const { tails, pageBudget, buffers, publishBudget, commits, cache, cachedProducers, budget, ahead } = shared;
  const gauges: readonly [name: string, help: string, read: () => number][] = [
    ["tail_bytes", "Memory held by tails", () => tails.bytes],
    ["page_budget_bytes", "Memory that streams hold above the smallest page each", () => pageBudget.bytes],
    ["buffer_pool_bytes", "Buffers of pages and batches that wait to be used again", () => buffers.bytes],
    ["publish_queue_bytes", "Batches that wait for their commit", () => publishBudget.bytes],
    ["shared_commit_waiting", "Small commits that wait to be made together", () => commits.waiting],
    ["topics", "Topics in memory", () => cache.size],
    ["cached_producers", "Producers whose state is in memory", () => cachedProducers.count],
    ["outstanding_records", "Records of consumers: outstanding, or waiting for redelivery", () => budget.records],
    ["consume_ahead_bytes", "Records that are read and wait for consumers", () => ahead.bytes],
  ];
  for (const [name, help, read] of gauges) metrics.gauge(name, help, read);
}
