/** A single batch, for callers that only wait for its acknowledgement. */

import type { Appended, Limits } from "../../core/index.js";
import { abortable } from "../../streams/index.js";
import type { Clock } from "../../telemetry/index.js";
import { checkBatch, type RecordBatch } from "../../wire/index.js";
import type { Appender } from "./appender.js";
import type { QueuedBatch } from "./batch-queue.js";
import type { BatchOrder } from "./commit-plan.js";
import { budgetExceeded } from "./publish-budget.js";
import { checkEpoch } from "../topics/topic.js";
import type { TopicCache, TopicLease } from "../topics/topic-cache.js";
import { writeToTopics } from "./write-to-topics.js";

type AppendLease = TopicLease<Appender>;

/** One batch to append. */
export interface AppendCommand {
  readonly topic: string;
  /** The caller as ADDRESS:PORT: topics that publishing creates are counted by address. Unset: not counted. */
  readonly peer?: string;
  /** At least one record. */
  readonly batch: RecordBatch;
  readonly expectedOffset: number | undefined;
  readonly producer: { readonly id: string; readonly generation: number; readonly sequence: number } | undefined;
  /** 0 is not checked. */
  readonly epoch: number;
}

export interface AppendParts {
  readonly cache: TopicCache<Appender>;
  readonly limits: Limits;
  readonly clock: Clock;
}

export function appendBatch(parts: AppendParts, command: AppendCommand, signal?: AbortSignal): Promise<Appended> {
  const target = { names: [command.topic], peer: command.peer };
  return writeToTopics(
    parts.cache,
    target,
    ([lease]) => appendTo(lease as AppendLease, parts, command, signal),
    signal,
  );
}

async function appendTo(
  lease: AppendLease,
  parts: AppendParts,
  command: AppendCommand,
  signal?: AbortSignal,
): Promise<Appended> {
  checkEpoch(command.epoch, lease.topic, "epoch");
  checkBatch(command.batch, lease.topic.limits);
  const call = {};
  const order = {
    batch: command.batch,
    expectedOffset: command.expectedOffset,
    producer: command.producer,
    call,
  };
  try {
    const queued = lease.writer.tryEnqueue(order) ?? (await enqueueInTime(lease, order, parts, signal));
    return await abortable(queued.acknowledged, signal);
  } catch (error) {
    lease.writer.withdraw(call);
    throw error;
  }
}

/** Waits for room for a short time: a unary call has no other way to slow its caller down. */
async function enqueueInTime(
  lease: AppendLease,
  order: BatchOrder,
  { limits, clock }: AppendParts,
  signal?: AbortSignal,
): Promise<QueuedBatch> {
  const patience = new AbortController();
  const outOfPatience = new Error(`The batch has waited ${limits.appendWaitMs} ms for room`);
  const cancelTimer = clock.startTimer(limits.appendWaitMs, () => patience.abort(outOfPatience));
  try {
    const until = signal === undefined ? patience.signal : AbortSignal.any([signal, patience.signal]);
    return await lease.writer.enqueue(order, until);
  } catch (error) {
    if (error === outOfPatience) throw budgetExceeded(error);
    throw error;
  } finally {
    cancelTimer();
  }
}
