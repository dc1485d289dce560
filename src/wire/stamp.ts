/**
 * Stamps: the server's `time` and `offset`, the last fields of every record, at fixed width. A producer's own values are
 * left out; even if they were not, the stamp would win, as the last value of a singular field does in Protobuf.
 */

import type { BufferPool } from "../core/index.js";
import type { RecordBatch } from "./record-batch.js";
import { RecordTag, TimeTag } from "./record-fields.js";
import { readFixed64, readVarintOfFive, writeVarintOfFive } from "./varint.js";

/** The contents of `time`: its `seconds` and `nanos` in five bytes each. */
const timeBytes = 12;

/** Where the offset's value stands in a stamp. */
const offsetAt = 2 + timeBytes + 1;
/** What the stamp adds to a record. */
export const stampBytes = offsetAt + 8;

const twoTo32 = 4_294_967_296;

/** Stamped frames that follow each other. */
export interface Frames {
  readonly bytes: Buffer;
  /** Where each frame ends; one entry a record. */
  readonly ends: Uint32Array;
}

/**
 * Concatenates batches and stamps them, with offsets from `firstOffset` on and one time. A single batch is stamped in
 * place; it may be stamped again while nobody else has it. Several are copied into a buffer of the pool, if there is one.
 *
 * Positional parameters: called once a commit.
 */
export function stampBatches(
  batches: readonly RecordBatch[],
  firstOffset: number,
  timeMicros: number,
  buffers?: BufferPool,
): Frames {
  const frames = batches.length === 1 ? framesOf(batches[0] as RecordBatch) : concatenate(batches, buffers);
  const { bytes, ends } = frames;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  // All stamps begin with the same bytes, which are written as words.
  const stamp = beginningOfStamp(timeMicros);
  const words = [0, 4, 8].map((at) => stamp.getUint32(at));
  const rest = stamp.getUint16(12);
  // Not `for … of`: its iterator makes an object for each record.
  for (let index = 0; index < ends.length; index++) {
    const offset = firstOffset + index;
    const at = (ends[index] as number) - stampBytes;
    view.setUint32(at, words[0] as number);
    view.setUint32(at + 4, words[1] as number);
    view.setUint32(at + 8, words[2] as number);
    view.setUint16(at + 12, rest);
    view.setUint8(at + 14, RecordTag.offset);
    view.setUint32(at + offsetAt, offset % twoTo32, true);
    view.setUint32(at + offsetAt + 4, Math.floor(offset / twoTo32), true);
  }
  return frames;
}

function framesOf({ frames, ends }: RecordBatch): Frames {
  return { bytes: frames, ends };
}

function concatenate(batches: readonly RecordBatch[], buffers: BufferPool | undefined): Frames {
  let length = 0;
  let count = 0;
  for (const { frames, ends } of batches) {
    length += frames.length;
    count += ends.length;
  }
  const bytes = buffers?.take(length) ?? Buffer.allocUnsafeSlow(length);
  const all = new Uint32Array(count);
  let at = 0;
  let index = 0;
  for (const { frames, ends } of batches) {
    bytes.set(frames, at);
    for (let record = 0; record < ends.length; record++) all[index++] = at + (ends[record] as number);
    at += frames.length;
  }
  return { bytes, ends: all };
}

/** The bytes that all stamps of one time begin with. */
function beginningOfStamp(timeMicros: number): DataView {
  const seconds = Math.floor(timeMicros / 1_000_000);
  const bytes = new Uint8Array(2 + timeBytes);
  bytes[0] = RecordTag.time;
  bytes[1] = timeBytes;
  bytes[2] = TimeTag.seconds;
  const at = writeVarintOfFive(bytes, 3, seconds);
  bytes[at] = TimeTag.nanos;
  writeVarintOfFive(bytes, at + 1, (timeMicros - seconds * 1_000_000) * 1000);
  return new DataView(bytes.buffer);
}

/** The stamp of the frame that ends at `end`. */
export function readStamp(bytes: Uint8Array, end: number): { readonly offset: number; readonly timeMicros: number } {
  return { offset: readFixed64(bytes, end - 8), timeMicros: timeOfStamp(bytes, end) };
}

/** The time, in microseconds since 1970, in the stamp of the frame that ends at `end`. */
export function timeOfStamp(bytes: Uint8Array, end: number): number {
  const at = end - stampBytes;
  return readVarintOfFive(bytes, at + 3) * 1_000_000 + Math.floor(readVarintOfFive(bytes, at + 9) / 1000);
}

/** Whether the `time` at `at` begins a stamp that ends at `end`. Its time can then be read at fixed width. */
export function isStamp(bytes: Uint8Array, at: number, end: number): boolean {
  const { seconds, nanos } = TimeTag;
  return end - at === stampBytes && bytes[at + 1] === timeBytes && bytes[at + 2] === seconds && bytes[at + 8] === nanos;
}
