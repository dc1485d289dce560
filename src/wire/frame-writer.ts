/**
 * Makes frames of the records of a request, with room for their stamps. Both stand in one buffer, frames in front and the
 * request behind: a move within a buffer makes no garbage, where a view of a record to copy it from is dearer than the copy.
 */

import type { BufferPool } from "../core/index.js";
import { frameTag } from "./record-fields.js";
import { withoutStamp } from "./scan-record.js";
import { stampBytes } from "./stamp.js";
import { varintLength, writeVarint } from "./varint.js";

/** More than this of it is let go after the request that needed it. */
const bytesToKeep = 2_097_152;

export class FrameWriter {
  #buffer = Buffer.allocUnsafeSlow(0);
  #ends = new Uint32Array(0);
  #count = 0;
  #length = 0;

  /** Begins: copies a request of at most so many records behind room for their frames, and tells where it stands. */
  open(
    request: Uint8Array,
    recordsMax: number,
  ): { readonly bytes: Buffer; readonly start: number; readonly end: number } {
    // A record takes two bytes of a request at least; its frame may take two more, and a stamp.
    const records = Math.min(recordsMax, request.length >>> 1);
    const start = request.length + records * (stampBytes + 2);
    const end = start + request.length;
    if (this.#buffer.length < end) this.#buffer = Buffer.allocUnsafeSlow(Math.max(end, 65_536));
    if (this.#ends.length < records) this.#ends = new Uint32Array(records);
    this.#buffer.set(request, start);
    this.#count = 0;
    this.#length = 0;
    return { bytes: this.#buffer, start, end };
  }

  /** Adds the record that stands from `start` to `end`, without the stamp that it brings where it `hasStamp`. */
  add(start: number, end: number, hasStamp: boolean): void {
    const buffer = this.#buffer;
    const length = hasStamp ? lengthWithoutStamp(buffer, start, end) : end - start;
    buffer[this.#length] = frameTag;
    const at = writeVarint(buffer, this.#length + 1, length + stampBytes);
    if (hasStamp) copyWithoutStamp(buffer, start, end, at);
    else buffer.copyWithin(at, start, end);
    this.#length = at + length + stampBytes;
    this.#ends[this.#count++] = this.#length;
  }

  /** The frames, in a buffer of their own, or of a pool. */
  take(buffers: BufferPool | undefined): { readonly frames: Buffer; readonly ends: Uint32Array } {
    const frames = buffers?.take(this.#length) ?? Buffer.allocUnsafeSlow(this.#length);
    this.#buffer.copy(frames, 0, 0, this.#length);
    const ends = this.#ends.slice(0, this.#count);
    if (this.#buffer.length > bytesToKeep) this.#buffer = Buffer.allocUnsafeSlow(0);
    return { frames, ends };
  }
}

function copyWithoutStamp(bytes: Uint8Array, start: number, end: number, target: number): void {
  let at = target;
  withoutStamp(bytes, start, end, (from, to) => {
    bytes.copyWithin(at, from, to);
    at += to - from;
  });
}

function lengthWithoutStamp(bytes: Uint8Array, start: number, end: number): number {
  let length = 0;
  withoutStamp(bytes, start, end, (from, to) => {
    length += to - from;
  });
  return length;
}

/** The bytes of a record with its stamp, in a frame of so many. */
export function recordBytes(frameBytes: number): number {
  let length = frameBytes - 2;
  while (1 + varintLength(length) + length > frameBytes) length -= 1;
  return length;
}
