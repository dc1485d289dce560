/**
 * Hands records to a consumer: as many as its window, its message and the node let through. Time has passed since they were
 * read, so each is checked once more: records that others settled, that were trimmed or that have expired are passed over.
 */

import { chooseFrames } from "../../reading/frame-choice.js";
import type { StampClock } from "../../topics/stamp-clock.js";
import type { Topic } from "../../topics/topic.js";
import type { Consumer } from "./consumer.js";
import type { ReadyRecords } from "./ready-records.js";
import { step } from "../records/record-life.js";
import { frameEnd, frameStart, heldRunOf, type ReadyRun, recordsIn, type RecordRun } from "../records/record-run.js";

export interface HandOutParts {
  readonly ready: ReadyRecords;
  readonly topic: Topic;
  readonly stampClock: StampClock;
}

export interface HandOutOptions {
  /** How many records to hand out. */
  readonly room: number;
  /** The bound of the message. Its first record may have any size. */
  readonly bytesMax: number;
  /** No records that were never handed out. */
  readonly redeliveriesOnly: boolean;
  /** No records from this offset on: others come before them, and are not ready yet. */
  readonly untilOffset: number;
  /** Until then the transport has to take the message, by the monotonic clock. */
  readonly deadlineMs: number;
  /** No consumer gets these any more. */
  readonly onUnkept: (run: RecordRun) => void;
}

/** Whether a record of a run may be handed out. */
type IsKept = (run: ReadyRun, index: number) => boolean;

/** Gives the runs that were handed out, all of one attempt. The consumer holds them by then. */
export function handOut(parts: HandOutParts, consumer: Consumer, options: HandOutOptions): readonly ReadyRun[] {
  const { ready } = parts;
  const { bytesMax, redeliveriesOnly, untilOffset, deadlineMs, onUnkept } = options;
  const isKept = keptNow(parts);
  const taken: ReadyRun[] = [];
  let { room } = options;
  let bytes = 0;
  while (room > 0) {
    const next = ready.peek(consumer, redeliveriesOnly);
    if (next === undefined) break;
    // Redriven records are out of order anyway.
    const until = next.claim.kind === "redriven" ? Number.POSITIVE_INFINITY : untilOffset;
    if (next.firstOffset >= until) break;
    const unkept = unkeptRecords(next, isKept);
    if (unkept > 0) {
      const passed = ready.take(consumer, next, unkept);
      ready.settled(passed);
      onUnkept({ ...passed, state: step(passed.state, { type: "unkept" }) });
      continue;
    }
    const [first] = taken;
    if (first !== undefined && next.state.deliveries !== first.state.deliveries) break;
    const bytesLeft = first === undefined ? Number.POSITIVE_INFINITY : bytesMax - bytes;
    const roomBefore = Math.min(room, until - next.firstOffset);
    const count = fittingRecords(next, consumer, { room: roomBefore, bytes: bytesLeft, bytesMax, isKept });
    if (count === 0) break;
    const run = ready.take(consumer, next, count);
    run.state = step(run.state, { type: "handed", deadlineMs });
    consumer.hand(heldRunOf(run));
    taken.push(run);
    bytes += frameEnd(run.frames, count - 1) - frameStart(run.frames, 0);
    room -= count;
  }
  consumer.carry(taken);
  return taken;
}

/** The check of which records may be handed out at this moment. */
function keptNow({ topic, stampClock }: HandOutParts): IsKept {
  const { earliestOffset } = topic.tip.value;
  const keep = chooseFrames(undefined, topic, stampClock);
  return (run, index) => {
    if (!run.claim.todo.has(run.firstOffset + index)) return false;
    // Somebody asked for a redriven record, whatever the topic keeps.
    if (run.claim.kind === "redriven") return true;
    if (run.firstOffset + index < earliestOffset) return false;
    if (keep === undefined) return true;
    const { page } = run.frames;
    const bytes = Buffer.from(page.buffer, page.byteOffset, page.length);
    return keep(bytes, frameStart(run.frames, index), frameEnd(run.frames, index));
  };
}

/** How many records at the front of a run no consumer gets any more. */
function unkeptRecords(run: ReadyRun, isKept: IsKept): number {
  let count = 0;
  while (count < recordsIn(run) && !isKept(run, count)) count += 1;
  return count;
}

/** What still fits a message. */
interface Fitting {
  readonly room: number;
  /** What is left of `bytesMax`; Infinity: it has no record yet. */
  readonly bytes: number;
  readonly bytesMax: number;
  readonly isKept: IsKept;
}

/** How many records at the front of a run fit. The first one of a message and of an empty window always does. */
function fittingRecords(run: ReadyRun, consumer: Consumer, { room, bytes, bytesMax, isKept }: Fitting): number {
  const { byteRoom, window } = consumer;
  const start = frameStart(run.frames, 0);
  if (frameEnd(run.frames, 0) - start > Math.min(bytes, byteRoom)) return 0;
  const bytesFitting = Math.min(bytes, bytesMax, byteRoom, window.bytes);
  const countMax = Math.min(room, recordsIn(run));
  let count = 1;
  while (count < countMax && frameEnd(run.frames, count) - start <= bytesFitting && isKept(run, count)) count += 1;
  return count;
}

/** The frames of runs; those that stand side by side in a page are one. */
export function framesOf(taken: readonly ReadyRun[]): Uint8Array[] {
  const runs: Uint8Array[] = [];
  let page: Uint8Array | undefined;
  let start = 0;
  let end = 0;
  for (const run of taken) {
    const { frames } = run;
    const first = frameStart(frames, 0);
    const last = frameEnd(frames, recordsIn(run) - 1);
    if (frames.page === page && first === end) {
      end = last;
      continue;
    }
    if (page !== undefined) runs.push(page.subarray(start, end));
    page = frames.page;
    start = first;
    end = last;
  }
  if (page !== undefined) runs.push(page.subarray(start, end));
  return runs;
}
