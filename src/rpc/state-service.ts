import { checkRectangle, checkTopicName, invalidArgument } from "../core/index.js";
import type { Engine, ListPage, PageMessage, WatchMessage } from "../engine/index.js";
import { StateServiceService as Shapes, StateServiceWatchResponse } from "../gen/millrace/v1/state_service.js";
import { encodeListMessage, encodeWatchMessage, positionOf, withoutPrefix, withPrefix } from "../wire/index.js";
import type { Calls } from "./calls.js";
import type { MethodContext, Method } from "./method.js";
import { encodePage } from "./reader-messages.js";
import { serverStreaming } from "./server-streaming.js";
import { unary } from "./unary.js";
import { checkKeyPart, optionalFilter } from "./validate.js";

/** The most keys in a Get. */
const keysMax = 1000;

export function stateService(calls: Calls, engine: Engine): readonly Method[] {
  return [
    unary(
      calls,
      // Sends records as they are stored.
      {
        path: Shapes.get.path,
        requestDeserialize: Shapes.get.requestDeserialize,
        responseSerialize: (page: PageMessage) => withoutPrefix(encodePage(page)),
      },
      async (request, context) => {
        const command = { topic: topicOf(request, context), keys: checkKeys(request.keys) };
        return engine.getState(command, context.signal);
      },
    ),
    serverStreaming(
      calls,
      {
        path: Shapes.list.path,
        requestDeserialize: Shapes.list.requestDeserialize,
        responseSerialize: ({ runs, next, lastKey }: ListPage) => encodeListMessage(runs, next, lastKey),
        isPrefixed: true,
        recordsIn: ({ records }) => records,
        positionAfter: ({ next }) => next,
      },
      (request, context) => {
        const command = {
          topic: topicOf(request, context),
          keyPrefix: checkKeyPart("key_prefix", request.keyPrefix),
          rectangle: request.rectangle && checkRectangle(request.rectangle),
          filter: optionalFilter(request.filter),
          afterKey: checkKeyPart("after_key", request.afterKey),
          limit: request.limit,
        };
        return engine.listState(command, context.stream, context.signal);
      },
    ),
    serverStreaming(
      calls,
      {
        path: Shapes.watch.path,
        requestDeserialize: Shapes.watch.requestDeserialize,
        responseSerialize: encodeMessage,
        isPrefixed: true,
        recordsIn: (message) => (message.kind === "page" ? message.records : 0),
        positionAfter: (message) => message.next,
      },
      (request, context) => {
        const start = request.start && positionOf(request.start);
        const { changesOnly, withoutTombstones } = request;
        if (changesOnly && start !== undefined) {
          throw invalidArgument(
            "changes_only",
            "must not be set with start, which already says where the changes begin",
          );
        }
        const command = {
          topic: topicOf(request, context),
          keyPrefix: checkKeyPart("key_prefix", request.keyPrefix),
          rectangle: request.rectangle && checkRectangle(request.rectangle),
          filter: optionalFilter(request.filter),
          start,
          changesOnly,
          withoutTombstones,
        };
        context.position = start;
        return engine.watchState(command, context.stream, context.signal);
      },
    ),
  ];
}

function topicOf(request: { readonly topic: string }, context: MethodContext): string {
  context.stream.topic = checkTopicName(request.topic);
  return request.topic;
}

function checkKeys(keys: readonly string[]): readonly string[] {
  if (keys.length === 0 || keys.length > keysMax) {
    throw invalidArgument("keys", `must be 1 to ${keysMax} keys, got ${keys.length}`);
  }
  for (const [index, key] of keys.entries()) {
    if (key === "") throw invalidArgument(`keys[${index}]`, "must not be empty");
    checkKeyPart(`keys[${index}]`, key);
  }
  return keys;
}

function encodeMessage(message: WatchMessage): Buffer {
  if (message.kind === "page") return encodeWatchMessage(message.runs, message.next, message.left);
  const response = { records: [], left: [], next: message.next, event: eventOf(message) };
  return withPrefix(StateServiceWatchResponse.encode(response).finish());
}

function eventOf(message: Exclude<WatchMessage, { kind: "page" }>): NonNullable<StateServiceWatchResponse["event"]> {
  switch (message.kind) {
    case "snapshot-end":
      return { $case: "snapshotEnd", value: {} };
    case "reset":
      return { $case: "reset", value: {} };
    case "heartbeat":
      return { $case: "heartbeat", value: {} };
    case "closed":
      return { $case: "closed", value: {} };
    default:
      throw message satisfies never;
  }
}
