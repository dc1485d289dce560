import type { Appended, ProducerStamp } from "../core/index.js";
import { AppendRequest, type AppendResponse, RecordServiceService } from "../gen/millrace/v1/record_service.js";
import { backoff } from "../streams/index.js";
import { decodeAppended, type RecordInput } from "../wire/index.js";
import { clientError, ConflictError, isTransient } from "./client-error.js";
import type { Connection, MethodShape, UnaryOptions } from "./connection.js";
import { encodeRecords } from "./outgoing-batch.js";
import { retryBackoff } from "./retry-backoff.js";
import { wholeNumber } from "./start.js";

export interface AppendOptions extends UnaryOptions {
  /** Append only if the topic's next offset is this one; otherwise the call throws a ConflictError. */
  readonly expectedOffset?: number | undefined;
  /** Makes a retry safe: add 1 to `sequence` with each append. */
  readonly producer?: ProducerStamp | undefined;
  /** Append only to this incarnation of the topic. */
  readonly epoch?: number | undefined;
}

/** Records for a topic. */
export interface TopicBatch {
  readonly topic: string;
  readonly records: readonly RecordInput[];
}

/** The request is encoded here, not by the generated code. */
const appendShape: MethodShape<Buffer, AppendResponse> = {
  ...RecordServiceService.append,
  requestSerialize: (request) => request,
};

/**
 * Appends one batch. While the server is away, it retries until the time limit, but only where a retry cannot append
 * twice: with a producer or an expected offset. With an expected offset alone, the first try may itself have caused the
 * conflict that a retry meets. The outcome is then unknown, and the error says so.
 */
export async function appendBatch(
  connection: Connection,
  batch: TopicBatch,
  options: AppendOptions,
): Promise<Appended> {
  const { topic } = batch;
  const request = encodeRequest(batch, options);
  const isRepeatable = options.producer !== undefined || options.expectedOffset !== undefined;
  const timeoutMs = options.timeoutMs ?? connection.timeoutMs;
  const { timers } = connection;
  const deadlineMs = timers.monotonicMs() + timeoutMs;
  const waits = backoff(retryBackoff());
  /** The error of an earlier try whose outcome is unknown. */
  let lost: unknown;
  for (;;) {
    try {
      const left = { timeoutMs: Math.max(1, deadlineMs - timers.monotonicMs()), signal: options.signal };
      return decodeAppended(await connection.unary(appendShape, request, left));
    } catch (error) {
      if (lost !== undefined && error instanceof ConflictError && options.producer === undefined) {
        const text = `It is unknown whether topic "${topic}" took the batch: the connection was lost, and now ${error.message}`;
        throw clientError("UNAVAILABLE", text, { reason: error.reason, metadata: error.metadata, cause: lost });
      }
      if (!isRepeatable || !isTransient(error)) throw error;
      const delayMs = Math.max(waits.next(), error.retryDelayMs ?? 0);
      if (timers.monotonicMs() + delayMs >= deadlineMs) throw error;
      lost = error;
      await connection.waitToRetry(delayMs, options.signal);
    }
  }
}

function encodeRequest({ topic, records }: TopicBatch, options: AppendOptions): Buffer {
  const { expectedOffset, producer, epoch = 0 } = options;
  const head = AppendRequest.encode({
    topic,
    records: [],
    expectedOffset: expectedOffset === undefined ? undefined : wholeNumber(expectedOffset, "expected_offset"),
    producer,
    epoch: wholeNumber(epoch, "epoch"),
  }).finish();
  return Buffer.concat([head, encodeRecords(records, "records")]);
}
