/** Turns a commit plan into the write that the store gets; used by appenders and by Commit. */

import type { BufferPool } from "../../core/index.js";
import type { AppendWrite, Head } from "../../store/index.js";
import type { Metrics } from "../../telemetry/index.js";
import type { Topic } from "../topics/topic.js";
import { stampBatches, type Frames, keyChangesOf } from "../../wire/index.js";
import type { CommitPlan } from "./commit-plan.js";
import type { StampClock } from "../topics/stamp-clock.js";

/** Stamps the records that a plan appends behind this head. Time never goes backwards within a topic. */
export function prepareAppend(
  head: Head,
  plan: CommitPlan,
  { stampClock, buffers }: { readonly stampClock: Pick<StampClock, "now">; readonly buffers?: BufferPool },
): { readonly write: AppendWrite; readonly frames: Frames } {
  const timeMicros = Math.max(stampClock.now(), head.lastTimeMicros);
  const frames = stampBatches(plan.appended, head.nextOffset, timeMicros, buffers);
  const write: AppendWrite = {
    topicId: head.topicId,
    expected: { nextOffset: head.nextOffset, version: head.version, epoch: head.epoch },
    frames: frames.bytes,
    frameEnds: frames.ends,
    baseBytes: head.nextBytes,
    timeMicros,
    producers: plan.producers,
    state: head.keyed ? keyChangesOf(frames) : [],
    expires: !head.expiring && plan.appended.some((batch) => batch.hasLifetimes),
  };
  return { write, frames };
}

/** What every writer does after its commit. */
export interface AppendAftermath {
  readonly metrics: Metrics;
  /** Runs after each commit to a topic. The writer waits for the promise before it appends to that topic again. */
  readonly onAppended: (topic: Topic) => Promise<void> | undefined;
}

/**
 * Moves the topic's tip to the commit, which wakes its followers, and counts it. Returns the promise of `onAppended`.
 */
export function observeAppend(
  topic: Topic,
  { before, write }: { readonly before: Head; readonly write: AppendWrite },
  { metrics, onAppended }: AppendAftermath,
): Promise<void> | undefined {
  topic.observe(headAfter(before, write), before.nextOffset);
  const room = onAppended(topic);
  metrics.commitRecords.observe(write.frameEnds.length);
  metrics.recordsIn.inc(write.frameEnds.length);
  metrics.bytesIn.inc(write.frames.length);
  return room;
}

/** The head after the commit. */
export function headAfter(before: Head, write: AppendWrite): Head {
  return {
    ...before,
    nextOffset: before.nextOffset + write.frameEnds.length,
    nextBytes: before.nextBytes + write.frames.length,
    lastTimeMicros: write.timeMicros,
    expiring: before.expiring || write.expires,
  };
}
