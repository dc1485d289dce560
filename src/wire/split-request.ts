/**
 * Splits a publishing request in one pass into its records and the rest. The records are checked and framed, but not
 * decoded.
 */

import { type BatchLimits, type BufferPool, invalidArgument } from "../core/index.js";
import type { RecordBatch } from "./record-batch.js";
import { FrameWriter, recordBytes } from "./frame-writer.js";
import { RecordFault, scanRecord, sent } from "./scan-record.js";
import { brokenRequest, skipValue } from "./split-field.js";
import { stampBytes } from "./stamp.js";
import { type ByteCursor, readVarint, WireType } from "./varint.js";

export interface SplitRequest {
  readonly batch: RecordBatch;
  /** The request without its records, for the generated decoder. */
  readonly rest: Uint8Array;
}

/** `repeated Record records = 2` in both requests. */
const recordsField = 2;

/** Shared by all requests, since splitting never waits. */
const writer = new FrameWriter();

/**
 * Splits an encoded AppendRequest or PublishRequest, and checks every record against the limits. Throws
 * `invalid-argument`, naming the record and the field. The frames are in a buffer of the pool, if there is one.
 */
export function splitRequest(request: Uint8Array, limits: BatchLimits, buffers?: BufferPool): SplitRequest {
  const { bytes, start, end } = writer.open(request, limits.batchRecords);
  const cursor: ByteCursor = { bytes, at: start };
  const rest: Uint8Array[] = [];
  let count = 0;
  let hasLifetimes = false;
  let bytesTogether = 0;
  while (cursor.at < end) {
    const fieldStart = cursor.at;
    const tag = readVarint(cursor, end);
    if (tag === recordsField * 8 + WireType.bytes) {
      const length = readVarint(cursor, end);
      const recordEnd = cursor.at + length;
      if (length < 0 || recordEnd > end) throw brokenRequest();
      if (count === limits.batchRecords) throw tooManyRecords(limits.batchRecords);
      checkRecordBytes(count, length + stampBytes, limits.recordBytes);
      bytesTogether += length + stampBytes;
      const recordStart = cursor.at;
      const bits = scan(cursor, recordEnd, count);
      if ((bits & sent.lifetime) !== 0) hasLifetimes = true;
      writer.add(recordStart, recordEnd, (bits & sent.stamp) !== 0);
      count += 1;
    } else {
      skipValue(cursor, tag, end);
      // From the request: the next one overwrites the writer's buffer.
      rest.push(request.subarray(fieldStart - start, cursor.at - start));
    }
  }
  if (bytesTogether > limits.batchBytes) throw tooManyBytes(bytesTogether, limits.batchBytes);
  return {
    batch: { ...writer.take(buffers), hasLifetimes },
    rest: rest.length === 1 ? (rest[0] as Uint8Array) : Buffer.concat(rest),
  };
}

/** Checks a batch against one topic's own limits. Throws `invalid-argument`. */
export function checkBatch(batch: RecordBatch, limits: BatchLimits): void {
  if (batch.ends.length > limits.batchRecords) throw tooManyRecords(limits.batchRecords);
  // Frames are a little larger than their records, so this check mostly suffices.
  if (batch.frames.length <= Math.min(limits.recordBytes, limits.batchBytes)) return;
  eachLength(batch, (length, index) => checkRecordBytes(index, length, limits.recordBytes));
  const bytes = batchBytes(batch);
  if (bytes > limits.batchBytes) throw tooManyBytes(bytes, limits.batchBytes);
}

/** The bytes of a batch that count against its limit: its records with their stamps. */
export function batchBytes(batch: RecordBatch): number {
  let bytes = 0;
  eachLength(batch, (length) => {
    bytes += length;
  });
  return bytes;
}

function eachLength({ ends }: RecordBatch, visit: (length: number, index: number) => void): void {
  let start = 0;
  ends.forEach((end, index) => {
    visit(recordBytes(end - start), index);
    start = end;
  });
}

function scan(cursor: ByteCursor, end: number, index: number): number {
  try {
    return scanRecord(cursor, end);
  } catch (error) {
    if (!(error instanceof RecordFault)) throw error;
    throw invalidArgument(`records[${index}]${error.path === "" ? "" : `.${error.path}`}`, error.message);
  }
}

function checkRecordBytes(index: number, length: number, max: number): void {
  if (length <= max) return;
  throw invalidArgument(
    `records[${index}]`,
    `has ${length} bytes with its stamp, at most ${max} are allowed (MILLRACE_RECORD_BYTES, Topic.limits.record_bytes)`,
  );
}

function tooManyRecords(max: number) {
  return invalidArgument(
    "records",
    `at most ${max} are allowed in a batch (MILLRACE_BATCH_RECORDS, Topic.limits.batch_records); split it`,
  );
}

function tooManyBytes(length: number, max: number) {
  return invalidArgument(
    "records",
    `have ${length} bytes together, at most ${max} are allowed in a batch (MILLRACE_BATCH_BYTES, Topic.limits.batch_bytes); split it`,
  );
}
