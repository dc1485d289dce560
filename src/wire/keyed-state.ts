/**
 * What a commit does to the state of a keyed topic: read from the frames, which were checked when they came.
 */

import type { Frames } from "./stamp.js";
import { type Cursor, readVarint, skipVarint, WireType } from "./varint.js";

/** A key, and which record of the commit, counted from 0, is its latest. */
export interface KeyChange {
  readonly key: string;
  readonly index: number;
  /** The record has no body: the key is gone. */
  readonly isTombstone: boolean;
}

/** Field numbers of millrace.v1.Record: `key`, and the first and last of `oneof body`. */
const keyField = 1;
const firstBodyField = 3;
const lastBodyField = 6;

/** Each key once, with its last record. Records without a key are none of the state's business. */
export function stateOf(frames: Frames): KeyChange[] {
  const changes = new Map<string, KeyChange>();
  let start = 0;
  for (let index = 0; index < frames.ends.length; index += 1) {
    const end = frames.ends[index] as number;
    const change = changeOf(frames.bytes, start, end, index);
    if (change !== undefined) changes.set(change.key, change);
    start = end;
  }
  return [...changes.values()];
}

function changeOf(bytes: Buffer, start: number, end: number, index: number): KeyChange | undefined {
  const cursor: Cursor = { bytes, at: start + 1 };
  readVarint(cursor, end);
  let key = "";
  let isTombstone = true;
  while (cursor.at < end) {
    const tag = readVarint(cursor, end);
    const field = tag >>> 3;
    if (field >= firstBodyField && field <= lastBodyField) isTombstone = false;
    const from = skipValue(cursor, tag & 7, end);
    if (field === keyField) key = bytes.toString("utf8", from, cursor.at);
  }
  return key === "" ? undefined : { key, index, isTombstone };
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
