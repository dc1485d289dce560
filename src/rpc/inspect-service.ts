import { checkRectangle, checkTopicName, invalidArgument, type QueueDepth } from "../core/index.js";
import type { Engine } from "../engine/index.js";
import { parseFilter } from "../filter/index.js";
import {
  InspectServiceService as Shapes,
  type LiveStream as LiveStreamMessage,
  type Queue as QueueMessage,
} from "../gen/millrace/v1/inspect_service.js";
import type { LiveStream, LiveStreams } from "../telemetry/index.js";
import {
  decodedFilteredMethod,
  encodedFilterPlace,
  encodedLiveStreamWaiting,
  encodedQueueKind,
  timestampOfMicros,
} from "../wire/index.js";
import type { Calls } from "./calls.js";
import type { Method } from "./method.js";
import { decodePageToken, encodePageToken } from "./page-token.js";
import { unary } from "./unary.js";
import { checkKeyPart, enumMeaning, pageSize } from "./validate.js";

export function inspectService(
  calls: Calls,
  engine: Pick<Engine, "explainFilter" | "listQueues">,
  liveStreams: LiveStreams,
): readonly Method[] {
  return [
    unary(calls, Shapes.explainFilter, async (request, context) => {
      context.stream.topic = checkTopicName(request.topic);
      if (request.filter === "") throw invalidArgument("filter", "must not be empty");
      const command = {
        topic: request.topic,
        filter: parseFilter(request.filter),
        method: enumMeaning(decodedFilteredMethod, request.method, "method"),
        rectangle: request.rectangle && checkRectangle(request.rectangle),
        keyPrefix: checkKeyPart("key_prefix", request.keyPrefix),
      };
      if (command.method === "read" || command.method === "follow") {
        const shared = "is only for LIST and WATCH";
        if (request.rectangle !== undefined) throw invalidArgument("rectangle", shared);
        if (request.keyPrefix !== "") throw invalidArgument("key_prefix", shared);
      }
      const { parts, indexes, plan, cost } = await engine.explainFilter(command, context.signal);
      return {
        parts: parts.map((part) => ({ ...part, place: encodedFilterPlace[part.place] })),
        indexes: [...indexes],
        plan,
        cost,
      };
    }),
    unary(calls, Shapes.listStreams, async (request) => {
      const topic = request.topic === "" ? undefined : checkTopicName(request.topic);
      const count = pageSize(request.pageSize);
      const found = liveStreams.list(decodeAfter(request.pageToken), count + 1, topic);
      const streams = found.slice(0, count).map(encodeStream);
      const last = streams.at(-1);
      const hasMore = found.length > count && last !== undefined;
      return { streams, nextPageToken: hasMore ? encodePageToken("streams", String(last.id)) : "" };
    }),
    unary(calls, Shapes.listQueues, async (request) => {
      const topic = request.topic === "" ? undefined : checkTopicName(request.topic);
      const count = pageSize(request.pageSize);
      const after = decodePageToken("queues", request.pageToken);
      const found = engine.listQueues(topic).filter((queue) => queueKey(queue) > after);
      const queues = found.slice(0, count);
      const last = queues.at(-1);
      const hasMore = found.length > count && last !== undefined;
      return {
        queues: queues.map(encodeQueue),
        nextPageToken: hasMore ? encodePageToken("queues", queueKey(last)) : "",
      };
    }),
  ];
}

/** The sort key of the listing: a page continues after the last key, whichever queues came or went meanwhile. */
function queueKey({ kind, name }: QueueDepth): string {
  return kind === "lane" ? `0${name}` : `1${name} ${kind}`;
}

function encodeQueue({ kind, name, depth, capacity }: QueueDepth): QueueMessage {
  return { kind: encodedQueueKind[kind], name, depth, capacity };
}

function decodeAfter(token: string): number {
  const after = Number(decodePageToken("streams", token));
  if (!Number.isSafeInteger(after))
    throw invalidArgument("page_token", "is not a page token of this method: start again without it");
  return after;
}

function encodeStream(stream: LiveStream): LiveStreamMessage {
  return {
    id: stream.id,
    peer: stream.peer,
    method: stream.method,
    topic: stream.topic,
    nextOffset: stream.nextOffset,
    lag: stream.lag,
    bytesSent: stream.bytesSent,
    messagesSent: stream.messagesSent,
    waiting: encodedLiveStreamWaiting[stream.waiting],
    waitingSince: timestampOfMicros(stream.waitingSinceMs * 1000),
    startTime: timestampOfMicros(stream.startTimeMs * 1000),
  };
}
