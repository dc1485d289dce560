/**
 * Splits a publishing request into its records, checked and undecoded, and the rest, which the generated decoder reads.
 */

import { invalidArgument, type Limits } from "../core/index.js";
import type { RecordBatch } from "./record-batch.js";
import { RecordFault, type ScannedRecord, scanRecord } from "./scan-record.js";
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

const none: ReadonlySet<number> = new Set();

/**
 * Splits an encoded AppendRequest or PublishRequest, and checks every record against the limits. Throws
 * `invalid-argument`, naming the record and the field.
 */
export function splitRequest(
  bytes: Uint8Array,
  limits: Pick<Limits, "recordBytes" | "batchRecords" | "batchBytes">,
): SplitRequest {
  const cursor: Cursor = { bytes, at: 0 };
  const bounds: number[] = [];
  const rest: Uint8Array[] = [];
  let stamped: Set<number> | undefined;
  let expires = false;
  let batchBytes = 0;
  while (cursor.at < bytes.length) {
    const start = cursor.at;
    const tag = readVarint(cursor, bytes.length);
    if (tag === recordsField * 8 + WireType.bytes) {
      const length = readVarint(cursor, bytes.length);
      if (length < 0 || cursor.at + length > bytes.length) throw brokenRequest();
      const index = bounds.length / 2;
      if (index === limits.batchRecords) throw tooManyRecords(limits.batchRecords);
      checkRecordBytes(index, length + stampBytes, limits.recordBytes);
      batchBytes += length + stampBytes;
      const scanned = scan(bytes, cursor.at, cursor.at + length, index);
      if (scanned.hasStamp) (stamped ??= new Set()).add(index);
      if (scanned.hasLifetime) expires = true;
      bounds.push(cursor.at, cursor.at + length);
      cursor.at += length;
    } else {
      skipField(cursor, tag);
      rest.push(bytes.subarray(start, cursor.at));
    }
  }
  if (batchBytes > limits.batchBytes) throw tooManyBytes(batchBytes, limits.batchBytes);
  return {
    batch: { bytes, bounds, stamped: stamped ?? none, count: bounds.length / 2, expires, weight: bytes.length },
    rest: rest.length === 1 ? (rest[0] as Uint8Array) : Buffer.concat(rest),
  };
}

/** Holds a batch against one topic's own limits. Throws `invalid-argument`. */
export function checkBatch(
  batch: RecordBatch,
  limits: Pick<Limits, "recordBytes" | "batchRecords" | "batchBytes">,
): void {
  if (batch.count > limits.batchRecords) throw tooManyRecords(limits.batchRecords);
  let batchBytes = 0;
  for (let index = 0; index < batch.count; index++) {
    const length = (batch.bounds[2 * index + 1] as number) - (batch.bounds[2 * index] as number) + stampBytes;
    checkRecordBytes(index, length, limits.recordBytes);
    batchBytes += length;
  }
  if (batchBytes > limits.batchBytes) throw tooManyBytes(batchBytes, limits.batchBytes);
}

function scan(bytes: Uint8Array, start: number, end: number, index: number): ScannedRecord {
  try {
    return scanRecord(bytes, start, end);
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
