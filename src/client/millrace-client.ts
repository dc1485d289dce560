import { systemTimers, type Timers } from "../streams/index.js";
import type { RecordInput } from "../wire/index.js";
import { type AppendOptions, type Appended, appendBatch } from "./append.js";
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
import { type StateReader, stateOf } from "./state.js";
import { type Commitment, commitDeliveries } from "./subscriptions/commit.js";
import { type ConsumeOptions, Consumer, type ConsumeTarget, type Consumption } from "./subscriptions/consumption.js";
import type { CommittedOutput } from "./subscriptions/output.js";
import { type Subscriptions, subscriptionsOf } from "./subscriptions/subscriptions.js";
import { type Topics, topicsOf } from "./topics.js";

/** A client of one Millrace server. All its calls share one connection, which opens with the first of them. */
export interface MillraceClient {
  /** HOST:PORT of the server. */
  readonly address: string;
  /** Creates, describes, changes and removes topics. */
  readonly topics: Topics;
  /** The latest record of each key of keyed topics: get, list, watch. */
  readonly state: StateReader;
  /** Appends one batch, of at most 1000 records and 1 MiB: all of it, in order, or none of it. Durable when it resolves. */
  append(topic: string, records: readonly RecordInput[], options?: AppendOptions): Promise<Appended>;
  /** Publishes many records: in batches, pipelined, each once whatever happens on the way. Close it at the end. */
  publisher(topic: string, options?: PublisherOptions): Publisher;
  /** Reads what a topic holds, and ends. Nothing is asked of the server before it is iterated. */
  read(topic: string, options?: ReadOptions): RecordStream;
  /** Follows a topic: history from `start` on, then every new record, across lost connections. */
  follow(topic: string, options?: FollowOptions): RecordStream;
  /** Durable, named consumers of topics: create, describe, move, and what they have set aside. */
  readonly subscriptions: Subscriptions;
  /** Works on the records of a subscription, or of a topic by an ephemeral consumer, across lost connections. */
  consume(target: ConsumeTarget, options?: ConsumeOptions): Consumption;
  /** Acknowledges deliveries of one consumption and appends records, in one transaction. See `Delivery.commit`. */
  commit(subscription: string, commitment: Commitment, options?: UnaryOptions): Promise<readonly CommittedOutput[]>;
  /** How a filter would be run: what the database answers and by which index, and what the node evaluates. */
  explainFilter(topic: string, filter: string, options?: ExplainFilterOptions): Promise<FilterExplanation>;
  /** Every live stream of the server. */
  liveStreams(options?: LiveStreamsOptions): AsyncGenerator<LiveStream, void>;
  /** How full the node's queues are: the lanes to its database, and what each topic publishes and keeps for followers. */
  queues(options?: QueuesOptions): AsyncGenerator<Queue, void>;
  /** Whether the server serves; `service` is a full name such as `millrace.v1.RecordService`. */
  health(service?: string, options?: UnaryOptions): Promise<Health>;
  /** Closes the connection. Close publishers first: what they hold would be tried again in vain. */
  close(): void;
}

/**
 * Makes a client. It does not wait for the server: the first call does, and fails if there is none. `timers` is what its
 * waits are measured by, for tests; the default is the process's clock.
 */
export function createClient(options: ConnectionOptions = {}, timers: Timers = systemTimers): MillraceClient {
  const connection = new Connection(options, timers);
  return {
    address: connection.address,
    topics: topicsOf(connection),
    state: stateOf(connection),
    append: (topic, records, appendOptions = {}) => appendBatch(connection, topic, records, appendOptions),
    publisher: (topic, publisherOptions) => new Publisher(connection, topic, publisherOptions),
    read: (topic, readOptions = {}) => readTopic(connection, topic, readOptions),
    follow: (topic, followOptions = {}) => followTopic(connection, topic, followOptions),
    subscriptions: subscriptionsOf(connection),
    consume: (target, consumeOptions = {}) => new Consumer(connection, target, consumeOptions),
    commit: (subscription, commitment, commitOptions) =>
      commitDeliveries(connection, subscription, commitment, commitOptions),
    explainFilter: (topic, filter, explainOptions = {}) => explainFilter(connection, topic, filter, explainOptions),
    liveStreams: (listOptions = {}) => listLiveStreams(connection, listOptions),
    queues: (queueOptions = {}) => listQueues(connection, queueOptions),
    health: (service = "", healthOptions = {}) => checkHealth(connection, service, healthOptions),
    close: () => connection.close(),
  };
}
