/** The queue of a record's key: records of a queue are delivered one after the other. */

import { keySlots } from "../core/index.js";

/**
 * A number of 32 bits for the key in `bytes[start, end)`: FNV-1a, and the last steps of MurmurHash3 behind it, so that the
 * low bits of short keys differ. Two keys may share a queue, which only makes them wait for each other. Stored claims and
 * retries rely on it: it stays what it is.
 */
export function keyQueueOf(bytes: Uint8Array, start: number, end: number): number {
  let value = 0x811c9dc5;
  for (let at = start; at < end; at++) value = Math.imul(value ^ (bytes[at] as number), 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}

/** The slot of a KEYED subscription that a record falls into. */
export function slotOf(keyQueue: number | undefined, offset: number): number {
  return (keyQueue ?? offset) % keySlots;
}
