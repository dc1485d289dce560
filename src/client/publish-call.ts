import type { Appended } from "../core/index.js";
import { PublishRequest, type PublishResponse, RecordServiceService } from "../gen/millrace/v1/record_service.js";
import { decodeAppended } from "../wire/index.js";
import { clientError } from "./client-error.js";
import type { Connection, MethodShape } from "./connection.js";
import type { Outbox } from "./outbox.js";
import type { OutgoingBatch } from "./outgoing-batch.js";
import type { StreamingCall } from "./streaming-call.js";

/** Requests are encoded batch by batch, not by the generated code. */
const publishShape: MethodShape<Buffer, PublishResponse> = {
  ...RecordServiceService.publish,
  requestSerialize: (request) => request,
};

export interface PublishCall {
  readonly topic: string;
  readonly producer: { readonly id: string; readonly generation: number };
  /** The topic's incarnation; 0 while unknown. */
  readonly epoch: number;
  readonly outbox: Outbox;
  /** Whether to end when everything is acknowledged. */
  readonly isClosing: () => boolean;
  /** `mayRepeat`: the batch may have been applied by an earlier call. */
  readonly onAcknowledged: (batch: OutgoingBatch, appended: Appended, mayRepeat: boolean) => void;
}

/**
 * One Publish call: sends the outbox's batches, from the first unacknowledged one on, and receives the answers, which
 * are in the same order. Returns when the publisher is closed and everything is acknowledged; throws the call's
 * failure.
 */
export async function runPublishCall(connection: Connection, publish: PublishCall, signal: AbortSignal): Promise<void> {
  const call = connection.bidiStream(publishShape);
  const over = new AbortController();
  const endSending = () => over.abort(signal.reason);
  signal.addEventListener("abort", endSending, { once: true });
  publish.outbox.rewind();
  // The receiving side reports how the call ended, so errors of the sending side are dropped.
  const sending = sendBatches(call, publish, over.signal).catch(() => {});
  try {
    await receiveAnswers(call, publish, signal);
  } finally {
    signal.removeEventListener("abort", endSending);
    over.abort();
    call.cancel();
    await sending;
  }
}

async function sendBatches(
  call: StreamingCall<Buffer, PublishResponse>,
  { outbox, topic, producer, epoch, isClosing }: PublishCall,
  signal: AbortSignal,
): Promise<void> {
  let isFirst = true;
  while (!signal.aborted) {
    const next = outbox.takeNext();
    if (next !== undefined) {
      const { fields } = next.batch;
      const opening = { topic, records: [], producer: { ...producer, sequence: next.sequence }, epoch };
      await call.send(isFirst ? Buffer.concat([PublishRequest.encode(opening).finish(), fields]) : fields);
      isFirst = false;
    } else if (isClosing() && outbox.isEmpty) {
      call.halfClose();
      return;
    } else await outbox.change(signal);
  }
}

async function receiveAnswers(
  call: StreamingCall<Buffer, PublishResponse>,
  { outbox, isClosing, onAcknowledged }: PublishCall,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const response = await call.receive(signal);
    if (response === undefined) {
      if (isClosing() && outbox.isEmpty) return;
      throw clientError("UNAVAILABLE", "The server ended the Publish call before it was asked to");
    }
    const done = outbox.acknowledge();
    if (done === undefined) throw clientError("INTERNAL", "The server acknowledged a batch that was not sent");
    onAcknowledged(done.batch, decodeAppended(response), done.mayRepeat);
  }
}
