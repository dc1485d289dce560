/**
 * What a commit does to the state of a keyed topic: read from the frames, which were checked when they came.
 */

import type { Location } from "./decode-parts.js";
import type { Frames } from "./stamp.js";
import { StoredRecord } from "./stored-record.js";

/** A key, and which record of the commit, counted from 0, is its latest. */
export interface KeyChange {
  readonly key: string;
  readonly index: number;
  /** The record has no body: the key is gone. */
  readonly isTombstone: boolean;
  /** Where it happened. */
  readonly place: Location | undefined;
  /** When it expires, in microseconds since 1970; undefined: never. */
  readonly expiryMicros: number | undefined;
}

/** Each key once, with its last record. Records without a key are none of the state's business. */
export function stateOf(frames: Frames): KeyChange[] {
  const changes = new Map<string, KeyChange>();
  const record = new StoredRecord();
  let start = 0;
  for (let index = 0; index < frames.ends.length; index += 1) {
    const end = frames.ends[index] as number;
    const { key, isTombstone, location, expiryMicros } = record.walk(frames.bytes, start, end);
    if (key !== "") changes.set(key, { key, index, isTombstone, place: location, expiryMicros });
    start = end;
  }
  return [...changes.values()];
}
