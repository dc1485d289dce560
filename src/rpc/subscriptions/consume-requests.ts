/** The requests of a Consume call: the first opens the call, later ones have verdicts and windows. */

import {
  checkSubscriptionName,
  checkTopicName,
  deliveryBounds,
  invalidArgument,
  type Window,
  windowBounds,
} from "../../core/index.js";
import type { ConsumeOpening, ConsumerRequest, DeliveredRange } from "../../engine/index.js";
import type {
  ConsumeRequest,
  ConsumeRequest_Acknowledgement,
  Window as WindowMessage,
} from "../../gen/millrace/v1/subscription_service.js";
import { abortable } from "../../streams/index.js";
import type { MethodContext } from "../method.js";
import { decodeStart } from "../read-requests.js";
import { checkConsumerName, checkReason } from "../validate.js";
import { boundedMs } from "../duration-ms.js";
import { checkRangeCount, decodeRange } from "./offset-ranges.js";

/** A Consume call whose first message was read. */
export interface OpenedConsume {
  readonly opening: ConsumeOpening;
  /** The later messages, decoded when they are pulled. */
  readonly requests: AsyncIterator<ConsumerRequest, undefined>;
}

/** Reads the first message of a Consume call, which opens it. A consumer without a name gets its address as name. */
export async function openedConsume(
  messages: AsyncIterator<ConsumeRequest, undefined>,
  context: Pick<MethodContext, "stream" | "signal">,
): Promise<OpenedConsume> {
  // Aborts with the drain: before its first message, a client has nothing to settle.
  const first = await abortable(messages.next(), context.signal);
  if (first.done === true) {
    throw invalidArgument(
      "subscription",
      "the first message must name a subscription or a topic, but there was no message",
    );
  }
  const opening = decodeOpening(first.value, context.stream.peer);
  const requests: AsyncIterator<ConsumerRequest, undefined> = {
    async next() {
      const next = await messages.next();
      if (next.done === true) return next;
      return { done: false, value: decodeRequest(next.value, opening) };
    },
    async return() {
      await messages.return?.();
      return { done: true, value: undefined };
    },
  };
  return { opening, requests };
}

export function decodeOpening(message: ConsumeRequest, peer: string): ConsumeOpening {
  const { subscription, topic } = message;
  const consumer = message.consumer === "" ? peer : checkConsumerName(message.consumer);
  const window = decodeWindow(message.window ?? {});
  checkHasNoVerdicts(message);
  if (subscription === "") {
    if (topic === "") throw invalidArgument("subscription", "the first message must name a subscription or a topic");
    return {
      kind: "ephemeral",
      topic: checkTopicName(topic),
      start: decodeStart(message.start),
      consumer,
      window,
    };
  }
  if (topic !== "") throw invalidArgument("topic", "must not be set with subscription, which has its own topic");
  if (message.start !== undefined) {
    throw invalidArgument(
      "start",
      "must not be set with subscription, which has its own cursor: SeekSubscription moves it",
    );
  }
  return { kind: "subscription", subscription: checkSubscriptionName(subscription), consumer, window };
}

function checkHasNoVerdicts(message: ConsumeRequest): void {
  const { acknowledge, reject, extend, park, release } = message;
  const field =
    message.acknowledgeThrough === undefined
      ? Object.entries({ acknowledge, reject, extend, park, release }).find(([, list]) => list.length > 0)?.[0]
      : "acknowledge_through";
  if (field !== undefined) {
    throw invalidArgument(field, "must not be set in the call's first message: nothing is delivered before it");
  }
}

/** Decodes a later message. */
export function decodeRequest(message: ConsumeRequest, opening: ConsumeOpening): ConsumerRequest {
  checkMatchesOpening(message, opening);
  const { acknowledge, reject, extend, park, release, window, acknowledgeThrough } = message;
  const ranges = acknowledge.length + reject.length + extend.length + park.length + release.length;
  checkRangeCount(ranges, "acknowledge, reject, extend, park, release");
  return {
    window: window && decodeWindow(window),
    acknowledge: acknowledge.map((each, index) => decodeDelivered(each, `acknowledge[${index}]`)),
    acknowledgeThrough,
    reject: reject.map((each, index) => {
      const field = `reject[${index}]`;
      return {
        ...decodeDelivered(each, field),
        delayMs: each.delay && boundedMs(each.delay, `${field}.delay`, deliveryBounds.retryMs),
        reason: checkReason(each.reason, `${field}.reason`),
      };
    }),
    extend: extend.map((each, index) => {
      const field = `extend[${index}]`;
      return {
        ...decodeDelivered(each, field),
        byMs: each.by && boundedMs(each.by, `${field}.by`, deliveryBounds.ackDeadlineMs),
      };
    }),
    park: park.map((each, index) => {
      const field = `park[${index}]`;
      return { ...decodeDelivered(each, field), reason: checkReason(each.reason, `${field}.reason`) };
    }),
    release: release.map((each, index) => decodeDelivered(each, `release[${index}]`)),
  };
}

function decodeDelivered({ offsets, attempt }: ConsumeRequest_Acknowledgement, field: string): DeliveredRange {
  return { range: decodeRange(offsets, `${field}.offsets`), attempt };
}

/** Later messages may not change what the first one named. */
function checkMatchesOpening(message: ConsumeRequest, opening: ConsumeOpening): void {
  const named =
    opening.kind === "ephemeral"
      ? { subscription: "", topic: opening.topic }
      : { subscription: opening.subscription, topic: "" };
  for (const field of ["subscription", "topic"] as const) {
    if (message[field] === "" || message[field] === named[field]) continue;
    throw invalidArgument(field, `must be empty or as in the call's first message, ${JSON.stringify(named[field])}`);
  }
  if (message.start !== undefined) throw invalidArgument("start", "must be set only in the call's first message");
  if (message.consumer !== "") throw invalidArgument("consumer", "must be set only in the call's first message");
}

/** An unset field has its default. */
function decodeWindow(message: WindowMessage): Window {
  const { initial, max } = windowBounds;
  const { records = initial.records, bytes = initial.bytes } = message;
  if (records > max.records) throw invalidArgument("window.records", `must be at most ${max.records}, got ${records}`);
  if (bytes > max.bytes) throw invalidArgument("window.bytes", `must be at most ${max.bytes}, got ${bytes}`);
  return { records, bytes };
}
