/** Key queues: the records of one key queue are delivered one after the other. */

import { keySlots } from "../core/index.js";

/**
 * The 32-bit number of the queue for the key in `bytes[start, end)`: FNV-1a, then the last steps of MurmurHash3, so that
 * the low bits of short keys differ. Two keys may share a queue; they then only wait for each other. Stored claims and
 * redeliveries rely on the numbers: they must not change.
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
