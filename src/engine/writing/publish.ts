/**
 * A Publish call: batches come in, and acknowledgements go out in the same order. The next batch is taken from the call
 * only while the budget has room, so HTTP/2 slows a publisher that is too fast.
 */

import { type Appended, type Limits, MillraceError } from "../../core/index.js";
import { abortable, channel, ChannelClosedError } from "../../streams/index.js";
import type { LiveStream } from "../../telemetry/index.js";
import { checkBatch, type RecordBatch } from "../../wire/index.js";
import type { Appender } from "./appender.js";
import { checkEpoch } from "../topics/topic.js";
import type { TopicCache, TopicLease } from "../topics/topic-cache.js";

/** The first message of a Publish call, without its records. `producer.sequence` is the first batch's. */
export interface PublishOpening {
  readonly topic: string;
  readonly producer: { readonly id: string; readonly generation: number; readonly sequence: number } | undefined;
  readonly epoch: number;
}

/** One message of a Publish call. */
export interface PublishBatch {
  /** Empty only in the message that opens the call. */
  readonly batch: RecordBatch;
  readonly expectedOffset: number | undefined;
}

export interface PublishParts {
  readonly cache: TopicCache<Appender>;
  readonly limits: Limits;
}

/** An acknowledgement that is due. Boxed, since a promise inside a promise would be awaited too early. */
interface Due {
  readonly acknowledged: Promise<Appended>;
}

export async function* publishBatches(
  parts: PublishParts,
  opening: PublishOpening,
  batches: AsyncIterator<PublishBatch>,
  stream: LiveStream,
  signal: AbortSignal,
): AsyncGenerator<Appended, void, undefined> {
  stream.waitFor("database");
  let lease: TopicLease<Appender>;
  try {
    lease = await acquirePinned(parts, opening, stream.peer, signal);
  } catch (error) {
    void batches.return?.();
    throw error;
  }
  const call = {};
  // Ends the intake when the acknowledging side ends, whatever the reason.
  const intakeEnd = new AbortController();
  const intakeSignal = AbortSignal.any([signal, intakeEnd.signal]);
  const cut = cutOff(signal);
  const due = channel<Due>({ capacity: parts.limits.producerWindow });
  const intake = takeIn();
  try {
    for (;;) {
      const { done, value } = await due.receiver.receive(cut.signal);
      if (done) return;
      const appended = await abortable(value.acknowledged, cut.signal);
      stream.nextOffset = appended.nextOffset;
      yield appended;
    }
  } finally {
    cut.release();
    intakeEnd.abort();
    void batches.return?.();
    due.receiver.close();
    lease.writer.withdraw(call);
    await intake;
    lease.release();
  }

  /** Never throws. An error ends the acknowledgements, after those that are due. */
  async function takeIn(): Promise<void> {
    let sequence = opening.producer?.sequence ?? 0;
    let isFirst = true;
    try {
      for (;;) {
        stream.waitFor("client-message");
        const { done, value } = await abortable(batches.next(), intakeSignal);
        if (done) break;
        stream.waitFor("publish-budget");
        if (value.batch.ends.length === 0) {
          checkOpensOnly(isFirst);
          await due.sender.send({ acknowledged: opened(lease) }, intakeSignal);
        } else {
          checkBatch(value.batch, lease.topic.limits);
          const producer = opening.producer && { ...opening.producer, sequence: sequence++ };
          const order = { batch: value.batch, expectedOffset: value.expectedOffset, producer, call };
          const queued = await lease.writer.enqueue(order, intakeSignal);
          stream.waitFor("database");
          await due.sender.send(queued, intakeSignal);
        }
        isFirst = false;
      }
      due.sender.close();
    } catch (error) {
      // The receiver has left: nobody gets the error.
      if (!(error instanceof ChannelClosedError)) due.sender.fail(error);
    }
  }
}

/**
 * Aborts when no caller is left to acknowledge to. A draining node takes no more batches, but still acknowledges those
 * in their commit.
 */
function cutOff(signal: AbortSignal): { readonly signal: AbortSignal; release(): void } {
  const cut = new AbortController();
  const onAbort = () => {
    const { reason } = signal;
    if (!(reason instanceof MillraceError && reason.code === "draining")) cut.abort(reason);
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true });
  return { signal: cut.signal, release: () => signal.removeEventListener("abort", onAbort) };
}

/** The topic that the call stays with, even if the name gets another meaning. */
async function acquirePinned(
  parts: PublishParts,
  opening: PublishOpening,
  peer: string,
  signal: AbortSignal,
): Promise<TopicLease<Appender>> {
  const lease = await parts.cache.acquireForPublish(opening.topic, peer, signal);
  if (opening.epoch === 0 || opening.epoch === lease.topic.epoch) return lease;
  lease.release();
  const { lease: fresh } = await parts.cache.acquireFresh(opening.topic, signal);
  try {
    checkEpoch(opening.epoch, fresh.topic, "epoch");
    return fresh;
  } catch (error) {
    fresh.release();
    throw error;
  }
}

function opened(lease: TopicLease<Appender>): Promise<Appended> {
  const { nextOffset } = lease.topic.tip.value;
  return Promise.resolve({ firstOffset: nextOffset, nextOffset, epoch: lease.topic.epoch, isRepeated: false });
}

function checkOpensOnly(isFirst: boolean): void {
  if (isFirst) return;
  const description = "at least one is required: only the first message of a call may have none";
  throw new MillraceError("invalid-argument", `records: ${description}`, {
    violations: [{ field: "records", description }],
  });
}
