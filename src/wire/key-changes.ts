/** What a commit does to the state of a keyed topic, read from its frames. These were checked on arrival. */

import type { Location } from "./decode-parts.js";
import type { Frames } from "./stamp.js";
import { StoredRecord } from "./stored-record.js";

/** A key, and the index of its latest record in the commit. */
export interface KeyChange {
  readonly key: string;
  readonly index: number;
  /** The record has no body, so it removes the key. */
  readonly isTombstone: boolean;
  /** The record's location. */
  readonly place: Location | undefined;
  /** When its lifetime ends, in microseconds since 1970; undefined: never. */
  readonly expiryMicros: number | undefined;
}

/** Each key once, with its last record. Records without a key do not change the state. */
export function keyChangesOf(frames: Frames): KeyChange[] {
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
