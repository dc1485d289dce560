export {
  ClientError,
  ConflictError,
  DataLossError,
  errorOfStatus,
  FailedPreconditionError,
  InvalidArgumentError,
  NotFoundError,
  OutOfRangeError,
  UnavailableError,
} from "./client-error.js";
export { createClient } from "./millrace-client.js";
export { Publisher } from "./publisher.js";
export { ReceivedRecord } from "../wire/index.js";
export { Subscription } from "./subscriptions/subscription.js";
export { Topic } from "./topic.js";
export type { AppendOptions } from "./append.js";
export type { StatusName } from "./client-error.js";
export type { ConnectionOptions, UnaryOptions } from "./connection.js";
export type { ExplainFilterOptions, FilterExplanation } from "./explain-filter.js";
export type { FollowEvent, FollowOptions } from "./follower.js";
export type { Health } from "./health.js";
export type { LiveStream, LiveStreamsOptions } from "./live-streams.js";
export type { Queue, QueuesOptions } from "./queues.js";
export type { MillraceClient } from "./millrace-client.js";
export type { PublishAllOptions, PublisherOptions, PublishTotals } from "./publisher-options.js";
export type { Acknowledgement } from "./outgoing-batch.js";
export type { ReadEvent, ReadOptions } from "./reader.js";
export type { RecordPage, RecordStream } from "./record-stream.js";
export type { Reconnecting, ResumeOptions } from "./resuming-messages.js";
export type { Skipped } from "./skipped.js";
export type { Start, Until } from "./start.js";
export type { ListStateOptions, StateReader, StateSelection, WatchEvent, WatchStateOptions } from "./state.js";
export type { Commitment } from "./subscriptions/commit.js";
export type { ConsumeEvent } from "./subscriptions/consume-event.js";
export type { ConsumeOptions, ConsumeTarget, Consumption, ForEachOptions } from "./subscriptions/consumption.js";
export type { Delivery, DeliveryBatch } from "./subscriptions/delivery.js";
export type { RejectOptions } from "./subscriptions/held.js";
export type { CommittedOutput, Output } from "./subscriptions/output.js";
export type {
  ListParkedOptions,
  Parked,
  ParkedRecord,
  ParkedSelection,
  RedriveOptions,
} from "./subscriptions/parked.js";
export type { ConsumerReport, DescribeOptions, SubscriptionReport } from "./subscriptions/subscription-report.js";
export type {
  CreateSubscriptionOptions,
  ListSubscriptionsOptions,
  Sought,
  Subscriptions,
  SubscriptionSettings,
} from "./subscriptions/subscriptions.js";
export type { WindowOptions } from "./subscriptions/window.js";
export type { EpochOptions, TopicLimits, TopicRetention, Topics, TopicSettings } from "./topics.js";
export type {
  Appended,
  ConsumerWaiting,
  Direction,
  FilteredMethod,
  FilterPlace,
  LiveStreamWaiting,
  OffsetRange,
  Position,
  QueueKind,
  Rectangle,
  Sharing,
  StateBuild,
  WhenBehind,
  WhenTrimmed,
  Window,
} from "../core/index.js";
export type {
  AnyMessage,
  JsonObject,
  JsonValue,
  Location,
  RecordBody,
  RecordInput,
  Timestamp,
} from "../wire/index.js";
