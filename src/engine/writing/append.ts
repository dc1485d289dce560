/** A single batch, for callers that wait for nothing but its acknowledgement. */

import { type Limits, MillraceError } from "../../core/index.js";
import { abortable } from "../../streams/index.js";
import type { Clock } from "../../telemetry/index.js";
import { checkBatch } from "../../wire/index.js";
import type { QueuedBatch } from "./appender.js";
import type { BatchOrder } from "./commit-plan.js";
import type { AppendCommand, Appended } from "../engine.js";
import { budgetExceeded } from "./publish-budget.js";
import { checkEpoch } from "../reading/start-offset.js";
import type { TopicCache, TopicLease } from "../topics/topic-cache.js";

export interface AppendParts {
  readonly cache: TopicCache;
  readonly limits: Limits;
  readonly clock: Clock;
}

/** A topic that this node knows may be another by now: then, and only then, its name is looked up again, once. */
export async function appendBatch(parts: AppendParts, command: AppendCommand, signal?: AbortSignal): Promise<Appended> {
  const known = await parts.cache.acquireForPublish(command.topic, command.peer, signal);
  try {
    checkEpoch(command.epoch, known.topic, "epoch");
    return await appendTo(known, parts, command, signal);
  } catch (error) {
    if (!isOutdated(error, known)) throw error;
  } finally {
    known.release();
  }
  const fresh = await acquireAgain(parts.cache, command.topic, command.peer, signal);
  try {
    checkEpoch(command.epoch, fresh.topic, "epoch");
    return await appendTo(fresh, parts, command, signal);
  } finally {
    fresh.release();
  }
}

/** Whether it was refused for what this node knew of the topic, which may be another by now. */
export function isOutdated(error: unknown, { topic }: TopicLease): boolean {
  if (!(error instanceof MillraceError)) return false;
  return error.code === "topic-deleted" || (error.code === "epoch-mismatch" && !topic.isOver);
}

/** The topic of the name as it is now; created where publishing may, if it was deleted. */
export async function acquireAgain(
  cache: TopicCache,
  name: string,
  peer: string | undefined,
  signal?: AbortSignal,
): Promise<TopicLease> {
  try {
    return (await cache.acquireFresh(name, signal)).lease;
  } catch (error) {
    if (error instanceof MillraceError && error.code === "topic-not-found") {
      return cache.acquireForPublish(name, peer, signal);
    }
    throw error;
  }
}

async function appendTo(
  lease: TopicLease,
  parts: AppendParts,
  command: AppendCommand,
  signal?: AbortSignal,
): Promise<Appended> {
  checkBatch(command.batch, lease.topic.limits);
  const session = {};
  const order = {
    batch: command.batch,
    expectedOffset: command.expectedOffset,
    producer: command.producer,
    session,
  };
  try {
    const queued = lease.appender.tryEnqueue(order) ?? (await enqueueInTime(lease, order, parts, signal));
    return await abortable(queued.acknowledged, signal);
  } catch (error) {
    lease.appender.withdraw(session);
    throw error;
  }
}

/** Waits for room, but not for long: a unary call has no other way to slow its caller down. */
async function enqueueInTime(
  lease: TopicLease,
  order: BatchOrder,
  { limits, clock }: AppendParts,
  signal?: AbortSignal,
): Promise<QueuedBatch> {
  const patience = new AbortController();
  const outOfPatience = new Error(`The batch has waited ${limits.appendWaitMs} ms for room`);
  const cancelTimer = clock.startTimer(limits.appendWaitMs, () => patience.abort(outOfPatience));
  try {
    const until = signal === undefined ? patience.signal : AbortSignal.any([signal, patience.signal]);
    return await lease.appender.enqueue(order, until);
  } catch (error) {
    if (error === outOfPatience) throw budgetExceeded(error);
    throw error;
  } finally {
    cancelTimer();
  }
}
