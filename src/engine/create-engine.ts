/** Builds the engine: what its parts share, and what runs in the background. */

import { hostname } from "node:os";
import { BufferPool, checkTopicName, type Limits } from "../core/index.js";
import type { Store, StoredTopic } from "../store/index.js";
import { trackTasks } from "../streams/index.js";
import type { Clock, Logger, Metrics } from "../telemetry/index.js";
import { appendBatch } from "./writing/append.js";
import { type Appender, createAppender } from "./writing/appender.js";
import { commitDelivered } from "./consume/commit/commit.js";
import { consume } from "./consume/consume.js";
import { createConsumerGroups } from "./consume/groups.js";
import { createOutstandingBudget } from "./consume/records/outstanding-budget.js";
import { createReadAhead } from "./consume/group/read-ahead.js";
import { createSubscriptions } from "./control/subscriptions.js";
import { createDatabaseLanes } from "./database-lanes.js";
import type { Engine } from "./engine.js";
import { explainFilter } from "./reading/explain-filter.js";
import { followTopic } from "./reading/follow.js";
import { pollHeads } from "./upkeep/head-poll.js";
import { createHeldSnapshots } from "./upkeep/held-snapshots.js";
import { createHousekeeping } from "./upkeep/housekeeping.js";
import { listState } from "./reading/list-state.js";
import { createPageBudget } from "./reading/page-allowance.js";
import { createPageReader } from "./reading/page-reader.js";
import { createPublishBudget } from "./writing/publish-budget.js";
import { publishBatches } from "./writing/publish.js";
import { quietWhileAway } from "./upkeep/quiet-logger.js";
import { readTopic } from "./reading/read.js";
import { listQueues } from "./control/queues.js";
import { createMerging } from "./upkeep/merging.js";
import { createRetention } from "./upkeep/retention.js";
import { createSharedCommits } from "./writing/shared-commits.js";
import { createStampClock } from "./topics/stamp-clock.js";
import { createStateBuilder } from "./upkeep/state-builder.js";
import { getState } from "./reading/state.js";
import { createTailBudget } from "./topics/tail.js";
import { Topic } from "./topics/topic.js";
import { createTopicCache, type OpenTopic, randomEpoch } from "./topics/topic-cache.js";
import { createTopics } from "./control/topics.js";
import { watchState } from "./reading/watch-state.js";

export interface EngineParts {
  readonly store: Store;
  readonly limits: Limits;
  /** Whether publishing to a topic that does not exist creates it. */
  readonly autoCreate: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** In [0, 1); default Math.random. */
  readonly random?: () => number;
  /** Names a hold on subscriptions: above 0, and unlike those of all nodes. Default: by chance. */
  readonly newSession?: () => number;
}

/** The part of the connections that may be committing, each for one topic, before commits are shared. */
const commitsPart = 0.3;

export async function createEngine(parts: EngineParts): Promise<Engine> {
  const { store, limits, clock, metrics, random = Math.random } = parts;
  const logger = quietWhileAway(parts.logger);
  const lanes = createDatabaseLanes(store, limits, metrics);
  const tails = createTailBudget(limits);
  const pageBudget = createPageBudget(limits);
  const publishBudget = createPublishBudget(limits);
  const buffers = new BufferPool(limits.bufferPoolBytes);
  const stampClock = createStampClock(clock, await lanes.run("live", (db) => db.now()), (aheadMicros) =>
    logger.warn(
      { ahead_seconds: aheadMicros / 1e6 },
      "this machine's clock and the database's do not agree; records are stamped by the database's",
    ),
  );
  const commits = createSharedCommits(lanes, limits, Math.max(1, Math.floor(store.connections * commitsPart)));
  const ending = new AbortController();
  const background = trackTasks((error) => logger.error({ err: error }, "background work failed"));
  const cache = createTopicCache({ lanes, limits, autoCreate: parts.autoCreate, open, track: background.track });
  const pages = createPageReader(lanes, limits, metrics);
  const housekeeping = createHousekeeping({
    lanes,
    limits,
    stampClock,
    heldSnapshots: createHeldSnapshots({ lanes, metrics, logger }),
    clock,
    logger,
  });
  const retention = createRetention({ lanes, cache, limits, stampClock, clock, logger, track: background.track });
  const merging = createMerging({ lanes, clock, logger });
  const stateBuilder = createStateBuilder({ kind: store.kind, lanes, limits, clock, logger });
  const topics = createTopics({
    lanes,
    cache,
    onTrimmed: housekeeping.wake,
    onRetained: retention.wake,
    onTurnedKeyed: stateBuilder.wake,
  });

  metrics.gauge("tail_bytes", "Memory held by tails", () => tails.bytes);
  metrics.gauge("page_budget_bytes", "Memory that streams hold above the smallest page each", () => pageBudget.bytes);
  metrics.gauge("buffer_pool_bytes", "Buffers of pages and batches that wait to be used again", () => buffers.bytes);
  metrics.gauge("publish_queue_bytes", "Batches that wait for their commit", () => publishBudget.bytes);
  metrics.gauge("shared_commit_waiting", "Small commits that wait to be made together", () => commits.waiting);
  metrics.gauge("topics", "Topics in memory", () => cache.size);

  function onAppended(topic: Topic): Promise<void> | undefined {
    merging.appended(topic.topicId);
    return retention.appended(topic);
  }

  function open(stored: StoredTopic, forget: (topic: Topic) => void): OpenTopic<Appender> {
    const topic = new Topic(stored, tails.create(stored.head.nextOffset), limits, (over) => {
      forget(over);
      if (over.tip.value.state === "lost") background.track(renewEpoch(over));
    });
    const writer = createAppender({
      topic,
      head: stored.head,
      lanes,
      commits,
      stampClock,
      clock,
      metrics,
      limits,
      budget: publishBudget.forTopic(),
      buffers,
      onAppended,
    });
    return { topic, writer };
  }

  /** Positions of a topic whose database went back in time may mean other records by now: they must not be taken. */
  async function renewEpoch(topic: Topic): Promise<void> {
    logger.error({ topic: topic.name, next_offset: topic.tip.value.nextOffset }, "the database went back in time");
    await lanes.run("append", (db) => db.renewEpoch(topic.topicId, topic.epoch, randomEpoch()));
  }

  background.track(pollHeads({ lanes, cache, limits, clock, logger }, ending.signal));
  background.track(housekeeping.run(ending.signal));
  background.track(stateBuilder.run(ending.signal));
  background.track(retention.run(ending.signal));
  background.track(merging.run(ending.signal));

  const ahead = createReadAhead(limits);
  const budget = createOutstandingBudget(limits);
  const node = `${hostname()}:${process.pid}`;
  const groups = createConsumerGroups({
    lanes,
    store,
    cache,
    pages,
    ahead,
    budget,
    limits,
    clock,
    stampClock,
    metrics,
    logger,
    node,
    newSession: parts.newSession,
  });
  const subscriptions = createSubscriptions({ cache, lanes, groups, clock, node });
  metrics.gauge(
    "outstanding_records",
    "Records of consumers: outstanding, or waiting for redelivery",
    () => budget.records,
  );
  metrics.gauge("consume_ahead_bytes", "Records that are read and wait for consumers", () => ahead.bytes);

  const reading = { cache, lanes, pages, pageBudget, buffers, limits, metrics, clock, stampClock, random };

  return {
    buffers,
    topics,
    append: async (command, signal) => {
      checkTopicName(command.topic);
      return appendBatch({ cache, limits, clock }, command, signal);
    },
    publish: (opening, batches, stream, signal) => {
      checkTopicName(opening.topic);
      return publishBatches({ cache, limits }, opening, batches, stream, signal);
    },
    read: (command, stream, signal) => {
      checkTopicName(command.topic);
      return readTopic(reading, command, stream, signal);
    },
    follow: (command, stream, signal) => {
      checkTopicName(command.topic);
      return followTopic(reading, command, stream, signal);
    },
    getState: async (command, signal) => getState(reading, command, signal),
    listState: (command, stream, signal) => listState(reading, command, stream, signal),
    explainFilter: async (command, signal) => explainFilter(reading, command, signal),
    watchState: (command, stream, signal) => watchState(reading, command, stream, signal),
    listQueues: (topic) => listQueues({ lanes, cache }, topic),
    subscriptions,
    consume: (opening, requests, stream, signal) =>
      consume({ groups, pageBudget, limits, clock, random }, { opening, requests, stream }, signal),
    commit: (command, signal) =>
      commitDelivered({ cache, lanes, limits, stampClock, metrics, logger, groups, onAppended }, command, signal),
    async close() {
      ending.abort();
      await groups.close();
      await cache.close();
      await background.settled();
    },
  };
}
