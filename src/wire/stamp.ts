/**
 * Frames: records as they stand on the wire, stamped. The server's `time` and `offset` come last, at fixed width. In
 * Protobuf the last value of a singular field wins, so they would even then replace what a producer wrote there.
 */

import type { RecordBatch } from "./record-batch.js";
import { frameTag, RecordTag, TimeTag } from "./record-fields.js";
import { withoutStamp } from "./scan-record.js";
import { readFixed64, readVarintOfFive, varintLength, writeVarint, writeVarintOfFive } from "./varint.js";

/** The contents of `time`: its `seconds` and `nanos` in five bytes each. */
const timeBytes = 12;

/** What the stamp adds to a record. */
export const stampBytes = 2 + timeBytes + 9;

const twoTo32 = 4_294_967_296;

/** Stamped frames that follow each other. */
export interface Frames {
  readonly bytes: Buffer;
  /** Where each frame ends; one entry a record. */
  readonly ends: Uint32Array;
}

/** Frames batches one behind the other, with offsets from `firstOffset` on and one time. */
export function frameBatches(batches: readonly RecordBatch[], firstOffset: number, timeMicros: number): Frames {
  const lengths = batches.flatMap(recordLengths);
  let total = 0;
  for (const length of lengths) total += 1 + varintLength(length) + length;
  const bytes = Buffer.allocUnsafeSlow(total);
  const ends = new Uint32Array(lengths.length);
  let at = 0;
  let index = 0;
  for (const batch of batches) {
    for (let record = 0; record < batch.count; record++) {
      bytes[at] = frameTag;
      at = writeVarint(bytes, at + 1, lengths[index] as number);
      at = copyRecord(batch, record, bytes, at);
      at = writeStamp(bytes, at, firstOffset + index, timeMicros);
      ends[index++] = at;
    }
  }
  return { bytes, ends };
}

/** The stamped lengths of a batch's records. */
function recordLengths(batch: RecordBatch): number[] {
  const lengths: number[] = [];
  for (let index = 0; index < batch.count; index++) {
    const start = batch.bounds[2 * index] as number;
    const end = batch.bounds[2 * index + 1] as number;
    let length = end - start;
    if (batch.stamped.has(index)) {
      length = 0;
      withoutStamp(batch.bytes, start, end, (from, to) => {
        length += to - from;
      });
    }
    lengths.push(length + stampBytes);
  }
  return lengths;
}

function copyRecord(batch: RecordBatch, index: number, target: Buffer, targetAt: number): number {
  const start = batch.bounds[2 * index] as number;
  const end = batch.bounds[2 * index + 1] as number;
  let at = targetAt;
  const copy = (from: number, to: number): void => {
    // A loop beats a call into native code for what most records are.
    if (to - from <= 48) for (let byte = from; byte < to; byte++) target[at++] = batch.bytes[byte] as number;
    else {
      target.set(batch.bytes.subarray(from, to), at);
      at += to - from;
    }
  };
  if (batch.stamped.has(index)) withoutStamp(batch.bytes, start, end, copy);
  else copy(start, end);
  return at;
}

function writeStamp(bytes: Buffer, start: number, offset: number, timeMicros: number): number {
  const seconds = Math.floor(timeMicros / 1_000_000);
  bytes[start] = RecordTag.time;
  bytes[start + 1] = timeBytes;
  bytes[start + 2] = TimeTag.seconds;
  let at = writeVarintOfFive(bytes, start + 3, seconds);
  bytes[at] = TimeTag.nanos;
  at = writeVarintOfFive(bytes, at + 1, (timeMicros - seconds * 1_000_000) * 1000);
  bytes[at] = RecordTag.offset;
  at = bytes.writeUInt32LE(offset % twoTo32, at + 1);
  return bytes.writeUInt32LE(Math.floor(offset / twoTo32), at);
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

/** Whether the `time` at `at` begins a stamp that ends at `end`: then its time takes no varints to read. */
export function isStamp(bytes: Uint8Array, at: number, end: number): boolean {
  const { seconds, nanos } = TimeTag;
  return end - at === stampBytes && bytes[at + 1] === timeBytes && bytes[at + 2] === seconds && bytes[at + 8] === nanos;
}
