import type { ConsumerWaiting, SubscriptionFacts, Window } from "../../core/index.js";
import {
  ConsumeResponse_Heartbeat_Waiting as Waiting,
  type DescribeSubscriptionResponse,
  type DescribeSubscriptionResponse_Consumer as ConsumerMessage,
  SubscriptionServiceService,
} from "../../gen/millrace/v1/subscription_service.js";
import {
  dateOfTimestamp,
  decodeConsumerWaiting,
  durationOfMs,
  durationText,
  type JsonObject,
  msOfDuration,
  positionOf,
  timestampText,
} from "../../wire/index.js";
import { clientError } from "../client-error.js";
import type { Connection } from "../connection.js";
import { wholeNumber } from "../start.js";
import { Subscription } from "./subscription.js";
import { windowOfMessage } from "./window.js";

/** A consumer of a subscription. The report on a consumer of another node is some seconds old. */
export interface ConsumerReport {
  /** The name that it gave itself. */
  readonly name: string;
  /** Its ADDRESS:PORT. */
  readonly peer: string;
  /** The node that serves it. */
  readonly node: string;
  readonly window: Window;
  readonly outstandingRecords: number;
  readonly outstandingBytes: number;
  readonly startTime: Date | undefined;
  /** Undefined if it has not acknowledged anything. */
  readonly lastAcknowledgementTime: Date | undefined;
  /** What its deliveries wait for. */
  readonly waiting: ConsumerWaiting;
}

/** How far a subscription is, and who consumes it. */
export interface SubscriptionReport extends SubscriptionFacts {
  readonly subscription: Subscription;
  readonly consumers: readonly ConsumerReport[];
  /** In proto3 JSON. */
  toJSON(): JsonObject;
}

export interface DescribeOptions {
  /** Time between reports, in milliseconds, from 100 to an hour. Default 1000. */
  readonly intervalMs?: number | undefined;
  /** The number of reports. Default: no limit. */
  readonly limit?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A report at once, then one per interval, until the loop is left. A lost connection ends it with an error. */
export async function* describeSubscription(
  connection: Connection,
  subscription: string,
  { intervalMs, limit = 0, signal }: DescribeOptions,
): AsyncGenerator<SubscriptionReport, void> {
  signal?.throwIfAborted();
  const call = connection.serverStream(SubscriptionServiceService.describeSubscription, {
    subscription,
    interval: intervalMs === undefined ? undefined : durationOfMs(wholeNumber(intervalMs, "interval")),
    limit: wholeNumber(limit, "limit"),
  });
  try {
    for (;;) {
      const message = await call.receive(signal);
      if (message === undefined) return;
      yield reportOf(message);
    }
  } finally {
    call.cancel();
  }
}

function reportOf(message: DescribeSubscriptionResponse): SubscriptionReport {
  if (message.subscription === undefined) throw clientError("INTERNAL", "The server answered without a subscription");
  const subscription = new Subscription(message.subscription);
  const { lagRecords, lagBytes, lagAge, outstandingRecords, retryRecords, parkedRecords } = message;
  const cursor = positionOf(message.cursor);
  const lagAgeMs = lagAge && msOfDuration(lagAge);
  return {
    subscription,
    cursor,
    lagRecords,
    lagBytes,
    lagAgeMs,
    outstandingRecords,
    retryRecords,
    parkedRecords,
    consumers: message.consumers.map(consumerOf),
    toJSON: () => ({
      subscription: subscription.toJSON(),
      cursor: { epoch: String(cursor.epoch), offset: String(cursor.offset) },
      lagRecords: String(lagRecords),
      lagBytes: String(lagBytes),
      ...(lagAgeMs === undefined ? {} : { lagAge: durationText(durationOfMs(lagAgeMs)) }),
      outstandingRecords: String(outstandingRecords),
      retryRecords: String(retryRecords),
      parkedRecords: String(parkedRecords),
      consumers: message.consumers.map(consumerJson),
    }),
  };
}

function consumerOf(message: ConsumerMessage): ConsumerReport {
  const { name, peer, node, outstandingRecords, outstandingBytes, startTime, lastAcknowledgementTime } = message;
  return {
    name,
    peer,
    node,
    window: windowOfMessage(message.window),
    outstandingRecords,
    outstandingBytes,
    startTime: startTime && dateOfTimestamp(startTime),
    lastAcknowledgementTime: lastAcknowledgementTime && dateOfTimestamp(lastAcknowledgementTime),
    waiting: decodeConsumerWaiting(message.waiting),
  };
}

function consumerJson(message: ConsumerMessage): JsonObject {
  const { name, peer, node, outstandingRecords, outstandingBytes, startTime, lastAcknowledgementTime } = message;
  const { waiting } = message;
  const { records, bytes } = windowOfMessage(message.window);
  return {
    name,
    peer,
    node,
    window: { records, bytes },
    outstandingRecords: String(outstandingRecords),
    outstandingBytes: String(outstandingBytes),
    ...(startTime === undefined ? {} : { startTime: timestampText(startTime) }),
    ...(lastAcknowledgementTime === undefined
      ? {}
      : { lastAcknowledgementTime: timestampText(lastAcknowledgementTime) }),
    ...(decodeConsumerWaiting(waiting) === "nothing" ? {} : { waiting: Waiting[waiting] }),
  };
}
