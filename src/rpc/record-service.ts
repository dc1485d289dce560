import { checkTopicName, type Limits } from "../core/index.js";
import type { Engine } from "../engine/index.js";
import { RecordServiceService as Shapes } from "../gen/millrace/v1/record_service.js";
import { bidiStreaming } from "./bidi-streaming.js";
import type { Calls } from "./calls.js";
import type { MethodContext, Method } from "./method.js";
import { appendShape, publishShape, publishedBatches, readProducer, requireRecords } from "./publish-requests.js";
import { decodeFollow, decodeRead } from "./read-requests.js";
import { encodeFollowMessage, encodeReadMessage, giveBack, recordsInMessage } from "./reader-messages.js";
import { serverStreaming } from "./server-streaming.js";
import { unary } from "./unary.js";

export function recordService(calls: Calls, engine: Engine, limits: Limits): readonly Method[] {
  return [
    unary(calls, appendShape(limits, engine.buffers), async ({ request, batch }, context) => {
      const topic = topicOf(request, context);
      requireRecords(batch);
      const { expectedOffset, epoch } = request;
      return engine.append(
        { topic, batch, expectedOffset, producer: readProducer(request.producer), epoch, peer: context.stream.peer },
        context.signal,
      );
    }),
    bidiStreaming(calls, publishShape(limits, engine.buffers), async function* (requests, context) {
      const { opening, batches } = await publishedBatches(requests);
      context.stream.topic = opening.topic;
      yield* engine.publish(opening, batches, context.stream, context.signal);
    }),
    serverStreaming(
      calls,
      {
        path: Shapes.read.path,
        requestDeserialize: Shapes.read.requestDeserialize,
        responseSerialize: encodeReadMessage,
        isPrefixed: true,
        onSent: giveBack(engine.buffers),
        recordsIn: recordsInMessage,
        positionAfter: (message) => message.next,
      },
      (request, context) => {
        const command = decodeRead(request, topicOf(request, context));
        context.position = openingPosition(command);
        return engine.read(command, context.stream, context.signal);
      },
    ),
    serverStreaming(
      calls,
      {
        path: Shapes.follow.path,
        requestDeserialize: Shapes.follow.requestDeserialize,
        responseSerialize: encodeFollowMessage,
        isPrefixed: true,
        onSent: giveBack(engine.buffers),
        recordsIn: recordsInMessage,
        positionAfter: (message) => message.next,
      },
      (request, context) => {
        const command = decodeFollow(request, topicOf(request, context));
        context.position = openingPosition(command);
        return engine.follow(command, context.stream, context.signal);
      },
    ),
  ];
}

function topicOf(request: { readonly topic: string }, context: MethodContext): string {
  context.stream.topic = checkTopicName(request.topic);
  return request.topic;
}

/** Where a reader resumes that was drained before its first message; undefined if its request names no place. */
function openingPosition({ start }: { readonly start: ReturnType<typeof decodeRead>["start"] }) {
  if (start?.at === "position") return start.position;
  return start?.at === "offset" ? { epoch: 0, offset: start.offset } : undefined;
}
