/**
 * What a commit does to the state of a keyed topic: read from the frames, which were checked when they came.
 */

import { expiryOf } from "./lifetime.js";
import type { Frames } from "./stamp.js";
import { type Cursor, readVarint, skipVarint, WireType } from "./varint.js";

/** What a record of a state is about. */
export interface Subject {
  /** Empty: the record is none of a state's business. */
  readonly key: string;
  /** The record has no body: the key is gone. */
  readonly isTombstone: boolean;
  /** Where it happened, in degrees. */
  readonly place: Place | undefined;
  readonly hasLifetime: boolean;
}

export interface Place {
  readonly latitude: number;
  readonly longitude: number;
}

/** A key, and which record of the commit, counted from 0, is its latest. */
export interface KeyChange extends Omit<Subject, "hasLifetime"> {
  readonly index: number;
  /** When it expires, in microseconds since 1970; undefined: never. */
  readonly expiryMicros: number | undefined;
}

/** Field numbers of millrace.v1.Record: `key`, the first and last of `oneof body`, `location` and `lifetime`. */
const keyField = 1;
const firstBodyField = 3;
const lastBodyField = 6;
const locationField = 7;
const lifetimeField = 9;
/** `double latitude = 1` and `double longitude = 2` of millrace.v1.Location. */
const latitudeField = 1;

/** Each key once, with its last record. Records without a key are none of the state's business. */
export function stateOf(frames: Frames): KeyChange[] {
  const changes = new Map<string, KeyChange>();
  let start = 0;
  for (let index = 0; index < frames.ends.length; index += 1) {
    const end = frames.ends[index] as number;
    const { key, isTombstone, place, hasLifetime } = subjectOf(frames.bytes, start, end);
    if (key !== "") {
      const expiryMicros = hasLifetime ? expiryOf(frames.bytes, start, end) : undefined;
      changes.set(key, { key, index, isTombstone, place, expiryMicros });
    }
    start = end;
  }
  return [...changes.values()];
}

/** What the frame from `start` to `end` is about. */
export function subjectOf(bytes: Buffer, start: number, end: number): Subject {
  const cursor: Cursor = { bytes, at: start + 1 };
  readVarint(cursor, end);
  let key = "";
  let isTombstone = true;
  let place: Place | undefined;
  let hasLifetime = false;
  while (cursor.at < end) {
    const tag = readVarint(cursor, end);
    const field = tag >>> 3;
    if (field >= firstBodyField && field <= lastBodyField) isTombstone = false;
    const from = skipValue(cursor, tag & 7, end);
    if (field === keyField) key = bytes.toString("utf8", from, cursor.at);
    else if (field === locationField) place = placeOf(bytes, from, cursor.at);
    else if (field === lifetimeField) hasLifetime = true;
  }
  return { key, isTombstone, place, hasLifetime };
}

/** What is not there is 0: Protobuf leaves out what has its default. */
function placeOf(bytes: Buffer, start: number, end: number): Place {
  const cursor: Cursor = { bytes, at: start };
  let latitude = 0;
  let longitude = 0;
  while (cursor.at < end) {
    const field = readVarint(cursor, end) >>> 3;
    const value = bytes.readDoubleLE(cursor.at);
    cursor.at += 8;
    if (field === latitudeField) latitude = value;
    else longitude = value;
  }
  return { latitude, longitude };
}

/** Moves behind a value; gives where its contents begin. */
function skipValue(cursor: Cursor, type: number, end: number): number {
  switch (type) {
    case WireType.bytes: {
      const length = readVarint(cursor, end);
      const from = cursor.at;
      cursor.at += length;
      return from;
    }
    case WireType.fixed64:
      cursor.at += 8;
      return cursor.at;
    case WireType.fixed32:
      cursor.at += 4;
      return cursor.at;
    default:
      skipVarint(cursor, end);
      return cursor.at;
  }
}
