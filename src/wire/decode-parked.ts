/** Decodes ListParkedResponse and GetParkedResponse: `ParkedRecord` is their field 1, and `Record` is field 1 of that. */

import { ReceivedRecord } from "./decode-record.js";
import { type BufferCursor, enter, skipField } from "./decode-struct.js";
import { frameTag } from "./record-fields.js";

export interface ParkedMessage {
  readonly record: ReceivedRecord;
  /** The other fields of `ParkedRecord`, for the generated decoder. */
  readonly rest: Buffer;
}

/** A response that carries parked records. */
export interface ParkedRecordsMessage {
  readonly records: readonly ParkedMessage[];
  /** All other fields, for the generated decoder. */
  readonly rest: Buffer;
}

/** Decodes a response. Throws a RangeError when it is broken. */
export function decodeParkedMessage(bytes: Buffer): ParkedRecordsMessage {
  const records: ParkedMessage[] = [];
  const rest = splitFirst({ bytes, at: 0 }, bytes.length, (cursor, end) => records.push(readParked(cursor, end)));
  return { records, rest };
}

function readParked(cursor: BufferCursor, end: number): ParkedMessage {
  let record: ReceivedRecord | undefined;
  const rest = splitFirst(cursor, end, (place, recordEnd) => {
    record = new ReceivedRecord(place, recordEnd);
  });
  if (record === undefined) throw new RangeError("Cannot decode a parked record: it has no record");
  return { record, rest };
}

/** Calls `visit` for each field 1, and returns all other fields together. */
function splitFirst(
  cursor: BufferCursor,
  end: number,
  visit: (cursor: BufferCursor, fieldEnd: number) => void,
): Buffer {
  const rest: Buffer[] = [];
  while (cursor.at < end) {
    const start = cursor.at;
    if (cursor.bytes[start] === frameTag) {
      cursor.at += 1;
      const fieldEnd = enter(cursor, end);
      visit(cursor, fieldEnd);
      cursor.at = fieldEnd;
    } else {
      skipField(cursor, end);
      rest.push(cursor.bytes.subarray(start, cursor.at));
    }
  }
  return Buffer.concat(rest);
}
