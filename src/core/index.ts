export {
  answerTooLarge,
  consumerFenced,
  epochMismatch,
  invalidArgument,
  MillraceError,
  offsetMismatch,
  offsetOutOfRange,
  parkedNotFound,
  staleDelivery,
  stateBuilding,
  subscriptionExists,
  subscriptionNotFound,
  topicClosed,
  topicDeleted,
  topicExists,
  topicNotFound,
  topicNotKeyed,
} from "./errors.js";
export {
  answerBytes,
  defaultLimits,
  labelBounds,
  pageSizeBounds,
  producerIdBytes,
  recordBounds,
  retentionAgeBounds,
} from "./limits.js";
export { endOfFrame, skipFrames } from "./frame.js";
export { BufferPool } from "./buffer-pool.js";
export { pageRoom } from "./page.js";
export { checkRectangle, isInside } from "./rectangle.js";
export { RangeSet } from "./range-set.js";
export { effectiveRetention, noRetention } from "./retention.js";
export { defaultDeliveryPolicy, deliveryBounds, keySlots, windowBounds } from "./subscription.js";
export { checkSubscriptionName, checkSubscriptionPrefix, checkTopicName, checkTopicPrefix } from "./topic-name.js";
export type { Appended } from "./appended.js";
export type { ErrorCode, ErrorFacts, FieldViolation } from "./errors.js";
export type { BatchLimits, Limits } from "./limits.js";
export type { FilteredMethod, FilterExplanation, FilterPart, FilterPlace } from "./filter-explanation.js";
export type { Page, Position } from "./page.js";
export type { OffsetRange, ProducerStamp, ProducerState } from "./producer.js";
export type { QueueDepth, QueueKind } from "./queue.js";
export type { Retention } from "./retention.js";
export type { Rectangle } from "./rectangle.js";
export type { StateBuild } from "./state-build.js";
export type { DeliveryPolicy, Sharing, SubscriptionFacts, Window } from "./subscription.js";
export type { Direction, SkippedReason, Start, Until, WhenBehind, WhenTrimmed } from "./start.js";
export type { ConsumerWaiting, FollowWaiting, LiveStreamWaiting } from "./waiting.js";
