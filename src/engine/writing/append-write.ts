/** From what a commit takes to what the store writes: the same for appenders and for Commit. */

import type { BufferPool } from "../../core/index.js";
import type { AppendWrite, Head } from "../../store/index.js";
import { stampBatches, type Frames, stateOf } from "../../wire/index.js";
import type { CommitPlan } from "./commit-plan.js";
import type { StampClock } from "../topics/stamp-clock.js";

/** Stamps what a plan appends to a topic as this head has it. Time never goes backwards within a topic. */
export function prepareAppend(
  topic: { readonly topicId: number },
  head: Head,
  plan: CommitPlan,
  { stampClock, buffers }: { readonly stampClock: Pick<StampClock, "now">; readonly buffers?: BufferPool },
): { readonly write: AppendWrite; readonly frames: Frames } {
  const timeMicros = Math.max(stampClock.now(), head.lastTimeMicros);
  const frames = stampBatches(plan.appended, head.nextOffset, timeMicros, buffers);
  const write: AppendWrite = {
    topicId: topic.topicId,
    expected: { nextOffset: head.nextOffset, version: head.version, epoch: head.epoch },
    frames: frames.bytes,
    frameEnds: frames.ends,
    baseBytes: head.nextBytes,
    timeMicros,
    producers: plan.producers,
    state: head.keyed ? stateOf(frames) : [],
    expires: !head.expiring && plan.appended.some((batch) => batch.expires),
  };
  return { write, frames };
}

/** The head once that is committed. */
export function headAfter(before: Head, write: AppendWrite): Head {
  return {
    ...before,
    nextOffset: before.nextOffset + write.frameEnds.length,
    nextBytes: before.nextBytes + write.frames.length,
    lastTimeMicros: write.timeMicros,
    expiring: before.expiring || write.expires,
  };
}
