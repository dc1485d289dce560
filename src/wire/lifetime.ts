/**
 * Lifetimes: from when on a record is of no use any more. It is left out of what readers get, as if a filter had done it,
 * and its offset stays.
 */

import { readStamp } from "./stamp.js";
import type { KeepFrame } from "./thin-page.js";
import { type Cursor, readVarint, WireType } from "./varint.js";

/** `Duration lifetime = 9` of millrace.v1.Record, and its `int64 seconds = 1`; `int32 nanos = 2` is the other field. */
const lifetimeTag = 0x4a;
const secondsTag = 0x08;

/**
 * When the record expires whose frame stands from `start` to `end`, in microseconds since 1970; undefined: never. The
 * frame is our own: whole, and right.
 */
export function expiryOf(bytes: Uint8Array, start: number, end: number): number | undefined {
  const cursor: Cursor = { bytes, at: start + 1 };
  readVarint(cursor, end);
  while (cursor.at < end) {
    const tag = readVarint(cursor, end);
    // A record's own fields are either length-delimited or, the offset alone, eight bytes wide.
    const length = (tag & 7) === WireType.bytes ? readVarint(cursor, end) : 8;
    if (tag === lifetimeTag) return readStamp(bytes, end).timeMicros + micros(cursor, cursor.at + length);
    cursor.at += length;
  }
  return undefined;
}

/** Lets through what has not expired at this time, in microseconds since 1970. */
export function unexpiredAt(nowMicros: number): KeepFrame {
  return (bytes, start, end) => {
    const expiry = expiryOf(bytes, start, end);
    return expiry === undefined || expiry > nowMicros;
  };
}

/** A Duration, rounded up to microseconds. */
function micros(cursor: Cursor, end: number): number {
  let seconds = 0;
  let nanos = 0;
  while (cursor.at < end) {
    const tag = readVarint(cursor, end);
    const value = readVarint(cursor, end);
    if (tag === secondsTag) seconds = value;
    else nanos = value;
  }
  return seconds * 1_000_000 + Math.ceil(nanos / 1000);
}
