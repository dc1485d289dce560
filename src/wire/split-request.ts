/**
 * Splits a publishing request into its records, checked, undecoded and framed in one pass, and the rest, which the generated
 * decoder reads.
 */

import { type BufferPool, invalidArgument, type Limits } from "../core/index.js";
import type { RecordBatch } from "./record-batch.js";
import { FrameWriter, recordBytes } from "./frame-writer.js";
import { brings, RecordFault, scanRecord } from "./scan-record.js";
import { brokenRequest, skipField } from "./split-field.js";
import { stampBytes } from "./stamp.js";
import { type Cursor, readVarint, WireType } from "./varint.js";

/** A request split into its records and the rest, which an ordinary decoder reads. */
export interface SplitRequest {
  readonly batch: RecordBatch;
  /** The request without its records. */
  readonly rest: Uint8Array;
}

/** `repeated Record records = 2` in both requests. */
const recordsField = 2;

/** One for all requests: splitting never waits. */
const writer = new FrameWriter();

/**
 * Splits an encoded AppendRequest or PublishRequest, and checks every record against the limits. Throws
 * `invalid-argument`, naming the record and the field. The frames are in a buffer of the pool, if there is one.
 */
export function splitRequest(
  request: Uint8Array,
  limits: Pick<Limits, "recordBytes" | "batchRecords" | "batchBytes">,
  buffers?: BufferPool,
): SplitRequest {
  const { bytes, start, end } = writer.open(request, limits.batchRecords);
  const cursor: Cursor = { bytes, at: start };
  const rest: Uint8Array[] = [];
  let count = 0;
  let expires = false;
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
      const brought = scan(cursor, recordEnd, count);
      if ((brought & brings.lifetime) !== 0) expires = true;
      writer.add(recordStart, recordEnd, (brought & brings.stamp) !== 0);
      count += 1;
    } else {
      skipField(cursor, tag, end);
      // The writer's buffer is the next request's.
      rest.push(request.subarray(fieldStart - start, cursor.at - start));
    }
  }
  if (bytesTogether > limits.batchBytes) throw tooManyBytes(bytesTogether, limits.batchBytes);
  return {
    batch: { ...writer.take(buffers), expires },
    rest: rest.length === 1 ? (rest[0] as Uint8Array) : Buffer.concat(rest),
  };
}

/** Holds a batch against one topic's own limits. Throws `invalid-argument`. */
export function checkBatch(
  batch: RecordBatch,
  limits: Pick<Limits, "recordBytes" | "batchRecords" | "batchBytes">,
): void {
  if (batch.ends.length > limits.batchRecords) throw tooManyRecords(limits.batchRecords);
  // Frames are a little more than their records: mostly that says enough.
  if (batch.frames.length <= Math.min(limits.recordBytes, limits.batchBytes)) return;
  eachLength(batch, (length, index) => checkRecordBytes(index, length, limits.recordBytes));
  const bytes = batchBytes(batch);
  if (bytes > limits.batchBytes) throw tooManyBytes(bytes, limits.batchBytes);
}

/** What a batch counts against its limit: its records with their stamps. */
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

function scan(cursor: Cursor, end: number, index: number): number {
  try {
    return scanRecord(cursor, end);
  } catch (error) {
    if (!(error instanceof RecordFault)) throw error;
    throw invalidArgument(`records[${index}]${error.path === "" ? "" : `.${error.path}`}`, error.message);
  }
}

function checkRecordBytes(index: number, length: number, most: number): void {
  if (length <= most) return;
  throw invalidArgument(
    `records[${index}]`,
    `has ${length} bytes with its stamp, at most ${most} are allowed (MILLRACE_RECORD_BYTES, Topic.limits.record_bytes)`,
  );
}

function tooManyRecords(most: number) {
  return invalidArgument(
    "records",
    `at most ${most} are allowed in a batch (MILLRACE_BATCH_RECORDS, Topic.limits.batch_records); split it`,
  );
}

function tooManyBytes(length: number, most: number) {
  return invalidArgument(
    "records",
    `have ${length} bytes together, at most ${most} are allowed in a batch (MILLRACE_BATCH_BYTES, Topic.limits.batch_bytes); split it`,
  );
}
