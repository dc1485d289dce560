import { type DeliveryPolicy, defaultDeliveryPolicy, invalidArgument, type Start } from "../../core/index.js";
import type {
  ConsumerFacts,
  CreateSubscriptionCommand,
  SubscriptionReport,
  Subscriptions,
  SubscriptionUpdate,
} from "../../engine/index.js";
import type { Duration } from "../../gen/google/protobuf/duration.js";
import type {
  CreateSubscriptionRequest,
  DescribeSubscriptionRequest,
  DescribeSubscriptionResponse,
  DescribeSubscriptionResponse_Consumer,
  ListSubscriptionsRequest,
  SeekSubscriptionRequest,
  Subscription,
  UpdateSubscriptionRequest,
} from "../../gen/millrace/v1/subscription_service.js";
import {
  decodedSharing,
  durationOfMs,
  encodedConsumerWaiting,
  encodedSharing,
  timestampOfMicros,
} from "../../wire/index.js";
import { decodePageToken } from "../page-token.js";
import { decodeStart } from "../read-requests.js";
import { checkLabels, enumMeaning, pageSize } from "../validate.js";
import { boundedMs, durationMs } from "../duration-ms.js";

/** The interval of DescribeSubscription. */
const intervalMs = { initial: 1000, min: 100, max: 3600_000 } as const;

export function decodeCreate(request: CreateSubscriptionRequest): CreateSubscriptionCommand {
  return {
    name: request.subscription,
    topic: request.topic,
    start: decodeStart(request.start),
    sharing: enumMeaning(decodedSharing, request.sharing, "sharing"),
    policy: decodePolicy(request),
    labels: checkLabels(request.labels),
  };
}

export function decodeList(request: ListSubscriptionsRequest): Parameters<Subscriptions["list"]>[0] {
  const { prefix, topic } = request;
  return {
    prefix,
    topic,
    after: decodePageToken("subscriptions", request.pageToken),
    count: pageSize(request.pageSize),
  };
}

/**
 * The fields that the mask names, with the default for unset ones; without a mask, those that the request sets
 * (AIP-134).
 */
export function decodeUpdate(request: UpdateSubscriptionRequest): SubscriptionUpdate {
  const paths = request.updateMask ?? [];
  const asked = decodePolicy(request);
  const labels = checkLabels(request.labels);
  if (paths.length === 0) {
    return {
      ...(Object.keys(asked).length > 0 && { policy: asked }),
      ...(labels.size > 0 && { labels }),
    };
  }
  let policy: Partial<DeliveryPolicy> | undefined;
  let changesLabels = false;
  for (const path of paths) {
    if (path === "labels") changesLabels = true;
    else policy = { ...policy, ...named(path) };
  }
  return { ...(policy && { policy }), ...(changesLabels && { labels }) };

  function named(path: string): Partial<DeliveryPolicy> {
    const property = propertyOfPath.get(path);
    if (property !== undefined) return { [property]: asked[property] ?? defaultDeliveryPolicy[property] };
    throw invalidArgument(
      "update_mask",
      `cannot change ${JSON.stringify(path.slice(0, 100))}: ${[...propertyOfPath.keys()].join(", ")} and labels can be changed`,
    );
  }
}

const propertyOfPath: ReadonlyMap<string, keyof DeliveryPolicy> = new Map([
  ["ack_deadline", "ackDeadlineMs"],
  ["attempts_max", "attemptsMax"],
  ["retry_min", "retryMinMs"],
  ["retry_max", "retryMaxMs"],
  ["retry_backlog", "retryBacklog"],
]);

/** The fields that are set. The engine checks their bounds, and refuses fractions of milliseconds. */
function decodePolicy(request: {
  readonly ackDeadline: Duration | undefined;
  readonly attemptsMax: number;
  readonly retryMin: Duration | undefined;
  readonly retryMax: Duration | undefined;
  readonly retryBacklog: number;
}): Partial<DeliveryPolicy> {
  const { ackDeadline, attemptsMax, retryMin, retryMax, retryBacklog } = request;
  return {
    ...(ackDeadline && { ackDeadlineMs: durationMs(ackDeadline, "ack_deadline") }),
    ...(attemptsMax !== 0 && { attemptsMax }),
    ...(retryMin && { retryMinMs: durationMs(retryMin, "retry_min") }),
    ...(retryMax && { retryMaxMs: durationMs(retryMax, "retry_max") }),
    ...(retryBacklog !== 0 && { retryBacklog }),
  };
}

export function decodeSeek(request: SeekSubscriptionRequest): Start {
  const start = decodeStart(request.start);
  if (start === undefined) throw invalidArgument("start", "is required");
  return start;
}

export function decodeDescribe(request: DescribeSubscriptionRequest): Parameters<Subscriptions["describe"]>[0] {
  const { interval, limit } = request;
  return {
    name: request.subscription,
    intervalMs: interval === undefined ? intervalMs.initial : boundedMs(interval, "interval", intervalMs),
    limit,
  };
}

export function encodeSubscription(subscription: SubscriptionReport["subscription"]): Subscription {
  const { policy } = subscription;
  return {
    name: subscription.name,
    topic: subscription.topic,
    epoch: subscription.epoch,
    sharing: encodedSharing[subscription.sharing],
    ackDeadline: durationOfMs(policy.ackDeadlineMs),
    attemptsMax: policy.attemptsMax,
    retryMin: durationOfMs(policy.retryMinMs),
    retryMax: durationOfMs(policy.retryMaxMs),
    retryBacklog: policy.retryBacklog,
    labels: new Map(subscription.labels),
    paused: subscription.isPaused,
    createTime: timestampOfMicros(subscription.createTimeMicros),
  };
}

export function encodeReport(report: SubscriptionReport): DescribeSubscriptionResponse {
  const { cursor, lagRecords, lagBytes, lagAgeMs, outstandingRecords, retryRecords, parkedRecords } = report;
  return {
    subscription: encodeSubscription(report.subscription),
    cursor,
    lagRecords,
    lagBytes,
    lagAge: lagAgeMs === undefined ? undefined : durationOfMs(lagAgeMs),
    outstandingRecords,
    retryRecords,
    parkedRecords,
    consumers: report.consumers.map(encodeConsumer),
  };
}

function encodeConsumer(facts: ConsumerFacts): DescribeSubscriptionResponse_Consumer {
  const { name, peer, node, window, outstandingRecords, outstandingBytes, lastAcknowledgementMs } = facts;
  return {
    name,
    peer,
    node,
    window,
    outstandingRecords,
    outstandingBytes,
    startTime: timestampOfMicros(facts.startTimeMs * 1000),
    lastAcknowledgementTime: lastAcknowledgementMs === 0 ? undefined : timestampOfMicros(lastAcknowledgementMs * 1000),
    waiting: encodedConsumerWaiting[facts.waiting],
  };
}
