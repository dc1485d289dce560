import { checkTopicName, invalidArgument, type Limits } from "../core/index.js";
import type { Engine, TopicDescription } from "../engine/index.js";
import {
  Topic,
  type TopicLimits,
  type ListTopicsRequest,
  TopicServiceService as Shapes,
  type UpdateTopicRequest,
} from "../gen/millrace/v1/topic_service.js";
import { timestampOfMicros } from "../wire/index.js";
import type { Calls } from "./calls.js";
import type { MethodContext, Method } from "./method.js";
import { decodePageToken, encodePageToken, fittingPage } from "./page-token.js";
import { checkRetention, optionalRetention } from "./retention.js";
import { unary } from "./unary.js";
import { checkLabels, pageSize } from "./validate.js";

type TopicChange = Parameters<Engine["topics"]["update"]>[1];

const noLimits: TopicLimits = { recordBytes: 0, batchRecords: 0, batchBytes: 0 };

export function topicService(calls: Calls, { topics }: Pick<Engine, "topics">, limits: Limits): readonly Method[] {
  return [
    unary(calls, Shapes.createTopic, async (request, context) => {
      const name = topicOf(request, context);
      const labels = checkLabels(request.labels);
      const asked = checkLimits(request.limits, limits);
      const retention = checkRetention(request.retention);
      const created = await topics.create({ name, labels, limits: asked, retention, keyed: request.keyed });
      return { topic: encodeTopic(created) };
    }),
    unary(calls, Shapes.getTopic, async (request, context) => ({
      topic: encodeTopic(await topics.get(topicOf(request, context))),
    })),
    unary(calls, Shapes.listTopics, async (request) => {
      const { topics: items, hasMore: isMore } = await topics.list(decodeList(request));
      const page = { items, hasMore: isMore };
      const { messages, last, hasMore } = fittingPage(
        page,
        encodeTopic,
        (topic) => Topic.encode(topic).finish().length,
      );
      return {
        topics: messages,
        nextPageToken: hasMore && last !== undefined ? encodePageToken("topics", last.name) : "",
      };
    }),
    unary(calls, Shapes.updateTopic, async (request, context) => ({
      topic: encodeTopic(await topics.update(topicOf(request, context), decodeChange(request, limits))),
    })),
    unary(calls, Shapes.trimTopic, async (request, context) => ({
      topic: encodeTopic(await topics.trim(topicOf(request, context), request.beforeOffset, request.epoch)),
    })),
    unary(calls, Shapes.closeTopic, async (request, context) => ({
      topic: encodeTopic(await topics.close(topicOf(request, context))),
    })),
    unary(calls, Shapes.deleteTopic, async (request, context) => {
      await topics.delete(topicOf(request, context), request.epoch);
      return {};
    }),
  ];
}

function topicOf(request: { readonly topic: string }, context: MethodContext): string {
  context.stream.topic = checkTopicName(request.topic);
  return request.topic;
}

function decodeList(request: ListTopicsRequest) {
  if (!/^[a-z0-9._/-]{0,200}$/.test(request.prefix)) {
    throw invalidArgument("prefix", "must be the beginning of a topic's name: [a-z0-9._/-]{0,200}");
  }
  const after = decodePageToken("topics", request.pageToken);
  return { prefix: request.prefix, after, count: pageSize(request.pageSize) };
}

/** The fields that the mask names; without a mask, those that the request sets (AIP-134). */
function decodeChange(request: UpdateTopicRequest, limitsMax: Limits): TopicChange {
  const paths = request.updateMask ?? [];
  const asked = checkLimits(request.limits, limitsMax);
  const retention = checkRetention(request.retention);
  const labels = checkLabels(request.labels);
  if (paths.length === 0) {
    const limits = nonZero(asked);
    const bounds = nonZero(retention);
    return {
      ...(labels.size > 0 && { labels }),
      ...(limits !== undefined && { limits }),
      ...(bounds !== undefined && { retention: bounds }),
      ...(request.keyed && { keyed: true }),
    };
  }
  let change: TopicChange = {};
  for (const path of paths) change = { ...change, ...changeOf(path, change) };
  return change;

  function changeOf(path: string, { limits, retention: bounds }: TopicChange): TopicChange {
    switch (path) {
      case "labels":
        return { labels };
      case "limits":
        return { limits: asked };
      case "limits.record_bytes":
        return { limits: { ...limits, recordBytes: asked.recordBytes } };
      case "limits.batch_records":
        return { limits: { ...limits, batchRecords: asked.batchRecords } };
      case "limits.batch_bytes":
        return { limits: { ...limits, batchBytes: asked.batchBytes } };
      case "retention":
        return { retention };
      case "retention.age":
        return { retention: { ...bounds, ageMs: retention.ageMs } };
      case "retention.records":
        return { retention: { ...bounds, records: retention.records } };
      case "retention.bytes":
        return { retention: { ...bounds, bytes: retention.bytes } };
      case "keyed":
        return { keyed: request.keyed };
      default:
        throw invalidArgument(
          "update_mask",
          `cannot change ${JSON.stringify(path.slice(0, 100))}: labels, limits, retention and keyed can be changed`,
        );
    }
  }
}

/** The values that are set; undefined if there is none. */
function nonZero<Values extends Readonly<Record<keyof Values, number>>>(values: Values): Partial<Values> | undefined {
  const set = Object.entries(values).filter(([, value]) => value !== 0);
  return set.length === 0 ? undefined : (Object.fromEntries(set) as Partial<Values>);
}

/** A topic's limits may be lower than the node's settings, not higher. */
function checkLimits(asked: TopicLimits | undefined, limitsMax: Limits): TopicLimits {
  const { recordBytes, batchRecords, batchBytes } = asked ?? noLimits;
  const check = (field: string, value: number, setting: number) => {
    if (value > setting)
      throw invalidArgument(`limits.${field}`, `must be at most the node's setting, ${setting}, got ${value}`);
  };
  check("record_bytes", recordBytes, limitsMax.recordBytes);
  check("batch_records", batchRecords, limitsMax.batchRecords);
  check("batch_bytes", batchBytes, limitsMax.batchBytes);
  return { recordBytes, batchRecords, batchBytes };
}

function encodeTopic(topic: TopicDescription): Topic {
  const { head } = topic;
  return {
    name: topic.name,
    epoch: head.epoch,
    labels: new Map(topic.labels),
    limits: topic.limits,
    closed: head.closed,
    keyed: head.keyed,
    stateBuild: topic.stateBuild,
    retention: optionalRetention(topic.retention),
    earliestOffset: head.earliestOffset,
    nextOffset: head.nextOffset,
    bytes: head.nextBytes - head.earliestBytes,
    firstTime: topic.firstTimeMicros === undefined ? undefined : timestampOfMicros(topic.firstTimeMicros),
    lastTime: head.lastTimeMicros === 0 ? undefined : timestampOfMicros(head.lastTimeMicros),
    createTime: timestampOfMicros(topic.createTimeMicros),
  };
}
