/** Decodes ReadResponse and FollowResponse, whose fields for records and position are the same (`page-message.ts`). */

import type { Position } from "../core/index.js";
import { ReceivedRecord } from "./decode-record.js";
import { enter, skipField } from "./decode-struct.js";
import { frameTag, nextTag, PositionTag } from "./record-fields.js";
import { readVarint } from "./varint.js";

/** A response that carries records. */
export interface RecordsMessage {
  readonly records: readonly ReceivedRecord[];
  /** Where to resume. */
  readonly next: Position | undefined;
  /** All other fields, undecoded, for the generated decoder; undefined when there are none. */
  readonly rest: Buffer | undefined;
}

/** Decodes a response. Throws a RangeError when it is broken. */
export function decodeRecordsMessage(bytes: Buffer): RecordsMessage {
  const cursor = { bytes, at: 0 };
  const end = bytes.length;
  const records: ReceivedRecord[] = [];
  const rest: Buffer[] = [];
  let next: Position | undefined;
  while (cursor.at < end) {
    const start = cursor.at;
    const tag = bytes[start];
    if (tag === frameTag) {
      cursor.at += 1;
      const recordEnd = enter(cursor, end);
      records.push(new ReceivedRecord(cursor, recordEnd));
    } else if (tag === nextTag) {
      cursor.at += 1;
      next = readPosition(cursor, enter(cursor, end));
    } else {
      skipField(cursor, end);
      rest.push(bytes.subarray(start, cursor.at));
    }
  }
  return { records, next, rest: rest.length === 0 ? undefined : Buffer.concat(rest) };
}

/** Decodes the records of frames outside a response. */
export function decodeFrames(runs: readonly Uint8Array[]): readonly ReceivedRecord[] {
  return runs.flatMap((run) => decodeRecordsMessage(Buffer.from(run.buffer, run.byteOffset, run.length)).records);
}

function readPosition(cursor: { readonly bytes: Buffer; at: number }, end: number): Position {
  let epoch = 0;
  let offset = 0;
  while (cursor.at < end) {
    const tag = cursor.bytes[cursor.at];
    if (tag !== PositionTag.epoch && tag !== PositionTag.offset) {
      skipField(cursor, end);
      continue;
    }
    cursor.at += 1;
    const value = readVarint(cursor, end);
    if (value < 0) throw new RangeError("Cannot decode a position: it is broken, or above 2^53-1");
    if (tag === PositionTag.epoch) epoch = value;
    else offset = value;
  }
  return { epoch, offset };
}
