/**
 * Requests that publish. `splitRequest` of wire/ checks their records and splits them off undecoded; the generated
 * decoder reads the rest.
 */

import { type Appended, type BufferPool, checkTopicName, invalidArgument, type Limits } from "../core/index.js";
import type { PublishBatch, PublishOpening } from "../engine/index.js";
import {
  AppendRequest,
  type Producer,
  PublishRequest,
  RecordServiceService as Shapes,
} from "../gen/millrace/v1/record_service.js";
import { encodeAppended, type RecordBatch, splitRequest } from "../wire/index.js";
import type { StreamShape } from "./method.js";
import { checkProducerId } from "./validate.js";

/** A request without its records, and its records. */
export interface WithBatch<Request> {
  readonly request: Omit<Request, "records">;
  readonly batch: RecordBatch;
}

export function appendShape(limits: Limits, buffers: BufferPool) {
  return {
    path: Shapes.append.path,
    requestDeserialize: withBatch(limits, buffers, (rest) => AppendRequest.decode(rest)),
    responseSerialize: (response: Appended) => Shapes.append.responseSerialize(encodeAppended(response)),
  };
}

export function publishShape(limits: Limits, buffers: BufferPool): StreamShape<WithBatch<PublishRequest>, Appended> {
  return {
    path: Shapes.publish.path,
    requestDeserialize: withBatch(limits, buffers, (rest) => PublishRequest.decode(rest)),
    responseSerialize: (response) => Shapes.publish.responseSerialize(encodeAppended(response)),
    positionAfter: ({ epoch, nextOffset }) => ({ epoch, offset: nextOffset }),
  };
}

function withBatch<Request>(limits: Limits, buffers: BufferPool, decode: (rest: Uint8Array) => Request) {
  return (bytes: Buffer): WithBatch<Request> => {
    const { batch, rest } = splitRequest(bytes, limits, buffers);
    return { request: decode(rest), batch };
  };
}

/** Reads the first message of a Publish call, which opens the call and is its first batch. */
export async function publishedBatches(
  requests: AsyncIterator<WithBatch<PublishRequest>, undefined>,
): Promise<{ opening: PublishOpening; batches: AsyncIterator<PublishBatch> }> {
  const first = await requests.next();
  if (first.done === true)
    throw invalidArgument("topic", "the first message must name the topic, but there was no message");
  const { request } = first.value;
  const topic = checkTopicName(request.topic);
  const opening = { topic, producer: readProducer(request.producer), epoch: request.epoch };
  let pending: WithBatch<PublishRequest> | undefined = first.value;
  const batches: AsyncIterator<PublishBatch> = {
    async next() {
      if (pending !== undefined) {
        const opened = batchOf(pending);
        pending = undefined;
        return { done: false, value: opened };
      }
      const next = await requests.next();
      if (next.done === true) return { done: true, value: undefined };
      checkLater(next.value, topic);
      return { done: false, value: batchOf(next.value) };
    },
    async return() {
      pending = undefined;
      await requests.return?.();
      return { done: true, value: undefined };
    },
  };
  return { opening, batches };
}

function batchOf({ request, batch }: WithBatch<PublishRequest>): PublishBatch {
  return { batch, expectedOffset: request.expectedOffset };
}

function checkLater({ request, batch }: WithBatch<PublishRequest>, topic: string): void {
  if (request.topic !== "" && request.topic !== topic) {
    throw invalidArgument("topic", `must be empty or ${JSON.stringify(topic)}, as in the call's first message`);
  }
  requireRecords(batch);
}

export function requireRecords(batch: RecordBatch): void {
  if (batch.ends.length === 0) throw invalidArgument("records", "at least one is required");
}

export function readProducer(producer: Producer | undefined): Producer | undefined {
  if (producer === undefined) return undefined;
  const { generation, sequence } = producer;
  return { id: checkProducerId(producer.id), generation, sequence };
}
