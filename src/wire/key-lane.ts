/** The lane of a record's key: records of a lane are worked on one after the other. */

import { keySlots } from "../core/index.js";
import { type Cursor, readVarint, skipVarint, WireType } from "./varint.js";

/** `string key = 1` of millrace.v1.Record. Producers may send it last, so the whole record is walked where it is not first. */
const keyTag = 0x0a;

/**
 * A number of 32 bits for the key of the frame from `start` to `end`; undefined: it has none. Two keys may share a lane,
 * which only makes them wait for each other. Stored claims and retries rely on it: it stays what it is.
 */
export function laneOf(bytes: Uint8Array, start: number, end: number): number | undefined {
  const cursor: Cursor = { bytes, at: start + 1 };
  readVarint(cursor, end);
  let lane: number | undefined;
  while (cursor.at < end) {
    const tag = readVarint(cursor, end);
    switch (tag & 7) {
      case WireType.bytes: {
        const length = readVarint(cursor, end);
        const from = cursor.at;
        cursor.at += length;
        // The last one counts, and an empty one is none.
        if (tag === keyTag) lane = length === 0 ? undefined : hash(bytes, from, cursor.at);
        break;
      }
      case WireType.fixed64:
        cursor.at += 8;
        break;
      case WireType.fixed32:
        cursor.at += 4;
        break;
      default:
        skipVarint(cursor, end);
    }
  }
  return lane;
}

/** The slot of a KEYED subscription that a record falls into. */
export function slotOf(lane: number | undefined, offset: number): number {
  return (lane ?? offset) % keySlots;
}

/** FNV-1a, and the last steps of MurmurHash3 behind it, so that the low bits of short keys differ. */
function hash(bytes: Uint8Array, start: number, end: number): number {
  let value = 0x811c9dc5;
  for (let at = start; at < end; at++) value = Math.imul(value ^ (bytes[at] as number), 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
