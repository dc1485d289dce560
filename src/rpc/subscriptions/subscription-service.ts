import { checkTopicName, type Limits } from "../../core/index.js";
import type { Engine, SubscriptionReport } from "../../engine/index.js";
import { Subscription, SubscriptionServiceService as Shapes } from "../../gen/millrace/v1/subscription_service.js";
import { bidiStreaming } from "../bidi-streaming.js";
import type { Calls } from "../calls.js";
import type { MethodContext, Method } from "../method.js";
import { encodePageToken, fittingPage } from "../page-token.js";
import { serverStreaming } from "../server-streaming.js";
import { unary } from "../unary.js";
import { commitShape } from "./commit-requests.js";
import { encodeConsumeMessage } from "./consume-messages.js";
import { openedConsume } from "./consume-requests.js";
import { checkRate, decodeListParked, decodeSelection, encodeParked, encodeParkedPage } from "./parked-requests.js";
import {
  decodeCreate,
  decodeDescribe,
  decodeList,
  decodeSeek,
  decodeUpdate,
  encodeReport,
  encodeSubscription,
} from "./subscription-requests.js";

type StoredSubscription = SubscriptionReport["subscription"];

/** The engine checks the names of subscriptions; it also knows their topics. */
export function subscriptionService(
  calls: Calls,
  engine: Pick<Engine, "subscriptions" | "consume" | "commit">,
  limits: Limits,
): readonly Method[] {
  const { subscriptions } = engine;
  return [
    unary(calls, Shapes.createSubscription, async (request, context) => {
      context.stream.topic = checkTopicName(request.topic);
      return answer(await subscriptions.create(decodeCreate(request)), context);
    }),
    unary(calls, Shapes.getSubscription, async ({ subscription }, context) =>
      answer(await subscriptions.get(subscription), context),
    ),
    unary(calls, Shapes.listSubscriptions, async (request) => {
      const { subscriptions: items, hasMore: isMore } = await subscriptions.list(decodeList(request));
      const sizeOf = (subscription: Subscription) => Subscription.encode(subscription).finish().length;
      const { messages, last, hasMore } = fittingPage({ items, hasMore: isMore }, encodeSubscription, sizeOf);
      return {
        subscriptions: messages,
        nextPageToken: hasMore && last !== undefined ? encodePageToken("subscriptions", last.name) : "",
      };
    }),
    unary(calls, Shapes.updateSubscription, async (request, context) =>
      answer(await subscriptions.update(request.subscription, decodeUpdate(request)), context),
    ),
    unary(calls, Shapes.deleteSubscription, async ({ subscription }) => {
      await subscriptions.delete(subscription);
      return {};
    }),
    unary(calls, Shapes.pauseSubscription, async ({ subscription }, context) =>
      answer(await subscriptions.setPaused(subscription, true), context),
    ),
    unary(calls, Shapes.resumeSubscription, async ({ subscription }, context) =>
      answer(await subscriptions.setPaused(subscription, false), context),
    ),
    unary(calls, Shapes.seekSubscription, async (request, context) => {
      const { subscription, cursor } = await subscriptions.seek(request.subscription, decodeSeek(request));
      return { ...answer(subscription, context), cursor };
    }),
    serverStreaming(
      calls,
      {
        path: Shapes.describeSubscription.path,
        requestDeserialize: Shapes.describeSubscription.requestDeserialize,
        responseSerialize: (report: SubscriptionReport) =>
          Shapes.describeSubscription.responseSerialize(encodeReport(report)),
      },
      (request, { stream, signal }) => subscriptions.describe(decodeDescribe(request), stream, signal),
    ),
    bidiStreaming(
      calls,
      {
        path: Shapes.consume.path,
        requestDeserialize: Shapes.consume.requestDeserialize,
        responseSerialize: encodeConsumeMessage,
        isPrefixed: true,
        recordsIn: ({ records }) => records,
        takesRequestsWhileDraining: true,
      },
      async (messages, context) => {
        const { opening, requests } = await openedConsume(messages, context);
        if (opening.kind === "ephemeral") context.stream.topic = opening.topic;
        return engine.consume(opening, requests, context.stream, context.signal);
      },
    ),
    unary(calls, commitShape(limits), (command, { stream, signal }) =>
      engine.commit({ ...command, peer: stream.peer }, signal),
    ),
    unary(calls, { ...Shapes.listParkedRecords, responseSerialize: encodeParkedPage }, (request) =>
      subscriptions.listParked(decodeListParked(request)),
    ),
    unary(calls, { ...Shapes.getParkedRecord, responseSerialize: encodeParked }, ({ subscription, offset }) =>
      subscriptions.getParked(subscription, offset),
    ),
    unary(calls, Shapes.redriveParkedRecords, async (request, { signal }) => ({
      records: await subscriptions.redriveParked(decodeSelection(request), checkRate(request.rate), signal),
    })),
    unary(calls, Shapes.discardParkedRecords, async (request, { signal }) => ({
      records: await subscriptions.discardParked(decodeSelection(request), signal),
    })),
  ];
}

function answer(subscription: StoredSubscription, context: MethodContext) {
  context.stream.topic = subscription.topic;
  return { subscription: encodeSubscription(subscription) };
}
