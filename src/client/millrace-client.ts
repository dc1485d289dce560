import type { Appended } from "../core/index.js";
import { systemTimers, type Timers } from "../streams/index.js";
import type { RecordInput } from "../wire/index.js";
import { type AppendOptions, appendBatch } from "./append.js";
import { Connection, type ConnectionOptions, type UnaryOptions } from "./connection.js";
import { explainFilter, type ExplainFilterOptions, type FilterExplanation } from "./explain-filter.js";
import { followTopic, type FollowOptions } from "./follower.js";
import { checkHealth, type Health } from "./health.js";
import { listLiveStreams, type LiveStream, type LiveStreamsOptions } from "./live-streams.js";
import { Publisher } from "./publisher.js";
import type { PublisherOptions } from "./publisher-options.js";
import { listQueues, type Queue, type QueuesOptions } from "./queues.js";
import { readTopic, type ReadOptions } from "./reader.js";
import type { RecordStream } from "./record-stream.js";
import { type StateReader, stateReaderOf } from "./state.js";
import { type Commitment, commitDeliveries } from "./subscriptions/commit.js";
import { type ConsumeOptions, Consumer, type ConsumeTarget, type Consumption } from "./subscriptions/consumption.js";
import type { CommittedOutput } from "./subscriptions/output.js";
import { type Subscriptions, subscriptionsOf } from "./subscriptions/subscriptions.js";
import { type Topics, topicsOf } from "./topics.js";

/** A client of one Millrace server. All its calls share one connection, which the first call opens. */
export interface MillraceClient {
  /** HOST:PORT of the server. */
  readonly address: string;
  /** Creates, describes, changes and removes topics. */
  readonly topics: Topics;
  /** The latest record of each key of keyed topics: get, list, watch. */
  readonly state: StateReader;
  /** Appends one batch of up to 1000 records and 1 MiB: all of it, in order, or none. Durable when it resolves. */
  append(topic: string, records: readonly RecordInput[], options?: AppendOptions): Promise<Appended>;
  /**
   * Publishes many records: in pipelined batches, each record exactly once, across lost connections. Close it at the
   * end.
   */
  publisher(topic: string, options?: PublisherOptions): Publisher;
  /** Reads the records of a topic, and ends. The iteration starts the call. */
  read(topic: string, options?: ReadOptions): RecordStream;
  /** Follows a topic: history from `start` on, then every new record, across lost connections. */
  follow(topic: string, options?: FollowOptions): RecordStream;
  /** Durable, named consumer groups: create, describe, move the cursor; and their parked records. */
  readonly subscriptions: Subscriptions;
  /**
   * Works on the records of a subscription, or, as an ephemeral consumer, on those of a topic. Across lost connections.
   */
  consume(target: ConsumeTarget, options?: ConsumeOptions): Consumption;
  /** Acknowledges deliveries of one consumption and appends records, in one transaction. See `Delivery.commit`. */
  commit(subscription: string, commitment: Commitment, options?: UnaryOptions): Promise<readonly CommittedOutput[]>;
  /** How a filter would be evaluated: what the database answers, with which indexes, and what the node evaluates. */
  explainFilter(topic: string, filter: string, options?: ExplainFilterOptions): Promise<FilterExplanation>;
  /** All live streams of the node. */
  liveStreams(options?: LiveStreamsOptions): AsyncGenerator<LiveStream, void>;
  /** How full the node's queues are: its database lanes, and the publish queue and tail of each topic. */
  queues(options?: QueuesOptions): AsyncGenerator<Queue, void>;
  /** Whether the server serves; `service` is a full name such as `millrace.v1.RecordService`. */
  health(service?: string, options?: UnaryOptions): Promise<Health>;
  /** Closes the connection. Close publishers first: they would retry their records without success. */
  close(): void;
}

/**
 * Makes a client. The first call connects, and fails if there is no server. `timers` is the clock for all waits: tests
 * give their own, the default is the process's.
 */
export function createClient(options: ConnectionOptions = {}, timers: Timers = systemTimers): MillraceClient {
  const connection = new Connection(options, timers);
  return {
    address: connection.address,
    topics: topicsOf(connection),
    state: stateReaderOf(connection),
    append: (topic, records, appendOptions = {}) => appendBatch(connection, { topic, records }, appendOptions),
    publisher: (topic, publisherOptions) => new Publisher(connection, topic, publisherOptions),
    read: (topic, readOptions = {}) => readTopic(connection, topic, readOptions),
    follow: (topic, followOptions = {}) => followTopic(connection, topic, followOptions),
    subscriptions: subscriptionsOf(connection),
    consume: (target, consumeOptions = {}) => new Consumer(connection, target, consumeOptions),
    commit: (subscription, commitment, commitOptions) =>
      commitDeliveries(connection, { ...commitment, subscription }, commitOptions),
    explainFilter: (topic, filter, explainOptions = {}) =>
      explainFilter(connection, { ...explainOptions, topic, filter }),
    liveStreams: (listOptions = {}) => listLiveStreams(connection, listOptions),
    queues: (queueOptions = {}) => listQueues(connection, queueOptions),
    health: (service = "", healthOptions = {}) => checkHealth(connection, service, healthOptions),
    close: () => connection.close(),
  };
}
