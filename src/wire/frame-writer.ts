/**
 * Makes frames of the records of a request, with room for their stamps. One buffer holds both, the frames in front and the
 * request behind. A move within a buffer makes no garbage, while a view to copy a record from costs more than the copy.
 */

import type { BufferPool } from "../core/index.js";
import { frameTag } from "./record-fields.js";
import { withoutStamp } from "./scan-record.js";
import { stampBytes } from "./stamp.js";
import { varintLength, writeVarint } from "./varint.js";

/** A larger buffer is released after the request that needed it. */
const bytesToKeep = 2_097_152;

export class FrameWriter {
  #buffer = Buffer.allocUnsafeSlow(0);
  #ends = new Uint32Array(0);
  #count = 0;
  #length = 0;

  /** Begins a request of up to `recordsMax` records: copies it behind the room for its frames. Returns where it stands. */
  open(
    request: Uint8Array,
    recordsMax: number,
  ): { readonly bytes: Buffer; readonly start: number; readonly end: number } {
    // A record takes at least two bytes of a request. Its frame may take two more bytes, and a stamp.
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

  /** Adds the record from `start` to `end`. With `hasStamp`, leaves out the stamp that the producer sent. */
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

  /** Returns the frames, in a new buffer or one of the pool. */
  take(buffers: BufferPool | undefined): { readonly frames: Buffer; readonly ends: Uint32Array } {
    const frames = buffers?.take(this.#length) ?? Buffer.allocUnsafeSlow(this.#length);
    this.#buffer.copy(frames, 0, 0, this.#length);
    const ends = this.#ends.slice(0, this.#count);
    if (this.#buffer.length > bytesToKeep) this.#buffer = Buffer.allocUnsafeSlow(0);
    return { frames, ends };
  }
}

/** Positional parameters: called once a record that has a stamp. */
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

/** The bytes of a record with its stamp, whose frame has `frameBytes` bytes. */
export function recordBytes(frameBytes: number): number {
  let length = frameBytes - 2;
  while (1 + varintLength(length) + length > frameBytes) length -= 1;
  return length;
}
