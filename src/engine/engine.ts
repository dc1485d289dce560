/**
 * What makes the store a stream service. A door (`rpc/`, later `http/`) calls only this. Each of its methods decodes,
 * calls the engine and encodes.
 */

import type { Appended, BufferPool, FilterExplanation, QueueDepth } from "../core/index.js";
import type { LiveStream } from "../telemetry/index.js";
import type { CommitCommand, CommittedOutput } from "./consume/commit/commit-command.js";
import type { ConsumeMessage, ConsumeOpening, ConsumerRequest } from "./consume/handing-out/consume-messages.js";
import type { Subscriptions } from "./control/subscriptions.js";
import type { Topics } from "./control/topics.js";
import type { ExplainFilterCommand } from "./reading/explain-filter.js";
import type { FollowCommand, FollowMessage } from "./reading/follow.js";
import type { ListPage, ListStateCommand } from "./reading/list-state.js";
import type { ReadCommand, ReadMessage } from "./reading/read.js";
import type { GetStateCommand } from "./reading/state.js";
import type { WatchMessage, WatchStateCommand } from "./reading/watch-state.js";
import type { PageMessage } from "./topics/page-message.js";
import type { AppendCommand } from "./writing/append.js";
import type { PublishBatch, PublishOpening } from "./writing/publish.js";

export interface Engine {
  /** The buffers that hold pages and framed batches. */
  readonly buffers: BufferPool;
  readonly topics: Topics;
  /**
   * Appends one batch, and resolves when it is durable. Errors: `topic-not-found`, `topic-limit`, `topic-closed`,
   * `epoch-mismatch`, `offset-mismatch`, `producer-gap`, `producer-fenced`, `publish-budget-exceeded` after a second,
   * `database-unavailable` (the outcome may be unknown).
   */
  append(command: AppendCommand, signal?: AbortSignal): Promise<Appended>;
  /**
   * Appends batches, pipelined, and yields their acknowledgements in order. Takes the next batch from `batches` only
   * while the budget has room. Ends when `batches` has ended and every batch is acknowledged, or throws the first
   * refusal.
   */
  publish(
    opening: PublishOpening,
    batches: AsyncIterator<PublishBatch>,
    stream: LiveStream,
    signal: AbortSignal,
  ): AsyncGenerator<Appended, void, undefined>;
  /** Reads up to an end that is fixed when it begins. Resume the generator when its last message was delivered. */
  read(command: ReadCommand, stream: LiveStream, signal: AbortSignal): AsyncGenerator<ReadMessage, void, undefined>;
  /** Reads without an end; returns after `closed`. Resume the generator when its last message was delivered. */
  follow(
    command: FollowCommand,
    stream: LiveStream,
    signal: AbortSignal,
  ): AsyncGenerator<FollowMessage, void, undefined>;
  /** How full the node's queues are. With a topic: only the queues of that topic. */
  listQueues(topic: string | undefined): readonly QueueDepth[];
  /** The latest records of some keys. Errors of this and the next two: `topic-not-found`, `topic-not-keyed`. */
  getState(command: GetStateCommand, signal: AbortSignal): Promise<PageMessage>;
  /** The state in the order of keys, with an end. Resume the generator when its last page was delivered. */
  listState(
    command: ListStateCommand,
    stream: LiveStream,
    signal: AbortSignal,
  ): AsyncGenerator<ListPage, void, undefined>;
  /**
   * The state in the order of its changes, without an end; returns after `closed`. Resume the generator when its last
   * message was delivered. Further errors: `epoch-mismatch`, `offset-out-of-range`.
   */
  watchState(
    command: WatchStateCommand,
    stream: LiveStream,
    signal: AbortSignal,
  ): AsyncGenerator<WatchMessage, void, undefined>;
  /**
   * How a filter would be evaluated. Errors: `topic-not-found`; for a method that reads a state, also the errors of
   * that method.
   */
  explainFilter(command: ExplainFilterCommand, signal: AbortSignal): Promise<FilterExplanation>;
  readonly subscriptions: Subscriptions;
  /**
   * Delivers records and takes verdicts on them. Takes from `requests` whenever the consumer sent something. Returns
   * after `closed`, or when `requests` has ended. Errors: `subscription-not-found`, `topic-not-found`, `topic-deleted`,
   * `consumer-fenced`, `consumer-limit`, `epoch-mismatch`, `offset-out-of-range`, `data-loss`.
   */
  consume(
    opening: ConsumeOpening,
    requests: AsyncIterator<ConsumerRequest, undefined>,
    stream: LiveStream,
    signal: AbortSignal,
  ): AsyncGenerator<ConsumeMessage, void, undefined>;
  /**
   * Acknowledges and appends in one transaction. Errors: `subscription-not-found`, `stale-delivery`, and those of `append`.
   */
  commit(command: CommitCommand, signal?: AbortSignal): Promise<readonly CommittedOutput[]>;
  /** Stops background work and waits for it. Commits under way finish. Readers end by their own signals. */
  close(): Promise<void>;
}
