/** Protobuf's variable-length integers, read in place: walking a request makes no copy, and no object for each field. */

/** A place in a buffer. A walk makes one and moves it along. */
export interface ByteCursor {
  readonly bytes: Uint8Array;
  at: number;
}

/** Wire types of Protobuf that Millrace accepts. Groups (3 and 4) are not part of proto3. */
export const WireType = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

const twoTo32 = 4_294_967_296;

/**
 * Reads an unsigned varint and moves on. Returns -1 when it does not end before `end`, is longer than ten bytes, or is 2^53
 * or more.
 */
export function readVarint(cursor: ByteCursor, end: number): number {
  const { bytes } = cursor;
  let at = cursor.at;
  let value = 0;
  let scale = 1;
  for (let length = 0; length < 10; length++) {
    if (at >= end) return -1;
    const byte = bytes[at++] as number;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) {
      cursor.at = at;
      return value <= Number.MAX_SAFE_INTEGER ? value : -1;
    }
    scale *= 128;
  }
  return -1;
}

/**
 * Reads a varint as a signed 64-bit number and moves on; negative ones take ten bytes. NaN when it is broken, or its
 * absolute value is 2^53 or more.
 */
export function readSignedVarint(cursor: ByteCursor, end: number): number {
  const { bytes } = cursor;
  let at = cursor.at;
  let low = 0;
  let high = 0;
  for (let shift = 0; shift < 70; shift += 7) {
    if (at >= end) return Number.NaN;
    const byte = bytes[at++] as number;
    const bits = byte & 0x7f;
    if (shift < 28) low |= bits << shift;
    else if (shift === 28) {
      low |= bits << 28;
      high |= bits >> 4;
    } else high |= bits << (shift - 32);
    if (byte < 0x80) {
      cursor.at = at;
      const value = high * twoTo32 + (low >>> 0);
      return Number.isSafeInteger(value) ? value : Number.NaN;
    }
  }
  return Number.NaN;
}

/** Moves past a varint of any size. False when it does not end before `end` or within ten bytes. */
export function skipVarint(cursor: ByteCursor, end: number): boolean {
  const { bytes } = cursor;
  for (let length = 0; length < 10 && cursor.at < end; length++) {
    if ((bytes[cursor.at++] as number) < 0x80) return true;
  }
  return false;
}

/** How many bytes a varint takes. `value` is an integer from 0 to 2^53-1. */
export function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) length++;
  return length;
}

/** Writes a varint and returns where it ends. */
export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let rest = value;
  let next = at;
  while (rest >= 128) {
    bytes[next++] = (rest % 128) | 0x80;
    rest = Math.floor(rest / 128);
  }
  bytes[next++] = rest;
  return next;
}

/** Writes a varint in exactly five bytes, padded with continuation bits, and returns where it ends. */
export function writeVarintOfFive(bytes: Uint8Array, at: number, value: number): number {
  let rest = value;
  for (let index = 0; index < 4; index++) {
    bytes[at + index] = (rest % 128) | 0x80;
    rest = Math.floor(rest / 128);
  }
  bytes[at + 4] = rest;
  return at + 5;
}

/** Reads what `writeVarintOfFive` wrote: below 2^35. */
export function readVarintOfFive(bytes: Uint8Array, at: number): number {
  const low =
    ((bytes[at] as number) & 0x7f) |
    (((bytes[at + 1] as number) & 0x7f) << 7) |
    (((bytes[at + 2] as number) & 0x7f) << 14) |
    (((bytes[at + 3] as number) & 0x7f) << 21);
  return low + ((bytes[at + 4] as number) & 0x7f) * 268_435_456;
}

/** Reads a fixed64 below 2^53. */
export function readFixed64(bytes: Uint8Array, at: number): number {
  return readFixed32(bytes, at) + readFixed32(bytes, at + 4) * twoTo32;
}

function readFixed32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)) >>>
    0
  );
}
