/** Consecutive records of one claim that share a state: the form in which the engine keeps records in every structure. */

import type { Claim } from "./claim.js";
import type { RecordState } from "./record-life.js";

export interface RecordRun<State extends RecordState = RecordState> {
  readonly claim: Claim;
  firstOffset: number;
  nextOffset: number;
  /** The key queue of its record, which then is a single one. Undefined: no key, or the subscription is not KEYED. */
  readonly keyQueue: number | undefined;
  state: State;
}

/** The frames of a run, inside a page. */
export interface RunFrames {
  readonly page: Uint8Array;
  /** Where each record of the page ends. */
  readonly ends: Uint32Array;
  /** The index of the run's first record in `ends`. */
  readonly at: number;
}

/** A run in memory that may be handed out. */
export interface ReadyRun extends RecordRun {
  frames: RunFrames;
}

/** A run that a consumer has. It keeps no frames: one unsettled record would hold its whole page in memory. */
export interface HeldRun extends RecordRun {
  /** Bytes of each frame; one number: all frames have that size. */
  sizes: number | readonly number[];
}

export function recordsIn({ firstOffset, nextOffset }: Pick<RecordRun, "firstOffset" | "nextOffset">): number {
  return nextOffset - firstOffset;
}

/** The attempt number in the message to its consumer. */
export function attemptOf({ claim, state }: Pick<RecordRun, "claim" | "state">): number {
  return claim.attemptsBefore + state.deliveries + 1;
}

/** Where the frame of a record begins in its page. `index` counts from the first record of the run. */
export function frameStart({ ends, at }: RunFrames, index: number): number {
  return at + index === 0 ? 0 : (ends[at + index - 1] as number);
}

/** Where it ends. */
export function frameEnd({ ends, at }: RunFrames, index: number): number {
  return ends[at + index] as number;
}

export function bytesOfFrames(run: ReadyRun): number {
  return frameEnd(run.frames, recordsIn(run) - 1) - frameStart(run.frames, 0);
}

/** Cuts the first `count` records off a run, which keeps the rest. */
export function cutFront(run: ReadyRun, count: number): ReadyRun {
  const front = { ...run, nextOffset: run.firstOffset + count };
  run.firstOffset += count;
  run.frames = { ...run.frames, at: run.frames.at + count };
  return front;
}

/** A run without its frames. */
export function heldRunOf({ claim, firstOffset, nextOffset, keyQueue, state, frames }: ReadyRun): HeldRun {
  const first = frameEnd(frames, 0) - frameStart(frames, 0);
  const count = nextOffset - firstOffset;
  let sizes: number | number[] = first;
  for (let index = 1; index < count; index++) {
    const size = frameEnd(frames, index) - frameStart(frames, index);
    if (typeof sizes === "number") {
      if (size === sizes) continue;
      sizes = Array.from({ length: index }, () => first);
    }
    sizes.push(size);
  }
  return { claim, firstOffset, nextOffset, keyQueue, state, sizes };
}

export function bytesOfHeld({ sizes, firstOffset, nextOffset }: HeldRun): number {
  return typeof sizes === "number" ? sizes * (nextOffset - firstOffset) : sizes.reduce((sum, size) => sum + size, 0);
}

/** The part of a run between two of its offsets. */
export function partOf(run: HeldRun, firstOffset: number, nextOffset: number): HeldRun {
  if (firstOffset === run.firstOffset && nextOffset === run.nextOffset) return run;
  const { claim, keyQueue, state, sizes } = run;
  const from = firstOffset - run.firstOffset;
  const part = typeof sizes === "number" ? sizes : sizes.slice(from, nextOffset - run.firstOffset);
  return { claim, firstOffset, nextOffset, keyQueue, state, sizes: part };
}

/** A copy of the frames of `count` records, which does not hold their page in memory. */
export function copiedFrames(frames: RunFrames, count: number): RunFrames {
  const start = frameStart(frames, 0);
  const page = Uint8Array.prototype.slice.call(frames.page, start, frameEnd(frames, count - 1));
  return { page, ends: frames.ends.slice(frames.at, frames.at + count).map((end) => end - start), at: 0 };
}

export function loneFrame(frame: Uint8Array): RunFrames {
  return { page: frame, ends: Uint32Array.of(frame.length), at: 0 };
}
