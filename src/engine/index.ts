export { createEngine } from "./create-engine.js";
export type { EngineParts } from "./create-engine.js";
export type { Engine } from "./engine.js";
export type { CommitCommand, CommittedOutput } from "./consume/commit/commit-command.js";
export type {
  Confirmed,
  ConsumeEvent,
  ConsumeMessage,
  ConsumeOpening,
  ConsumerFacts,
  ConsumerRequest,
  DeliveredRange,
} from "./consume/handing-out/consume-messages.js";
export type { SubscriptionReport } from "./control/describe-subscription.js";
export type { ParkedSelection } from "./control/parked.js";
export type { CreateSubscriptionCommand, Subscriptions, SubscriptionUpdate } from "./control/subscriptions.js";
export type { TopicDescription, Topics } from "./control/topics.js";
export type { ExplainFilterCommand } from "./reading/explain-filter.js";
export type { FollowCommand, FollowMessage } from "./reading/follow.js";
export type { ListPage, ListStateCommand } from "./reading/list-state.js";
export type { SkippedMessage } from "./reading/log-cursor.js";
export type { ReadCommand, ReadMessage } from "./reading/read.js";
export type { GetStateCommand } from "./reading/state.js";
export type { WatchMessage, WatchStateCommand } from "./reading/watch-state.js";
export type { PageMessage } from "./topics/page-message.js";
export type { AppendCommand } from "./writing/append.js";
export type { PublishBatch, PublishOpening } from "./writing/publish.js";
