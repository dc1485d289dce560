import type { BufferPool } from "../core/index.js";

/** A larger buffer is released when it is empty. */
const bytesToKeep = 1_048_576;

/**
 * Writes a Protobuf message from its last byte to its first. The length of a nested message is then known when its prefix
 * is written: nothing is measured before or moved afterwards. Write the fields of a message in reverse order.
 *
 * Kept messages gather at the front of the same buffer, in order. A move within a buffer makes no garbage, while a view to
 * copy a message from costs more than a small message itself.
 */
export class BackwardWriter {
  #buffer: Buffer;
  #at: number;
  /** Where the kept messages end, at the front. */
  #kept = 0;

  constructor(initialBytes = 16_384) {
    this.#buffer = Buffer.allocUnsafeSlow(initialBytes);
    this.#at = initialBytes;
  }

  /** The bytes written since the last `keep` or `clear`. */
  get length(): number {
    return this.#buffer.length - this.#at;
  }

  /** What was written since then; valid until the next write. */
  get written(): Buffer {
    return this.#buffer.subarray(this.#at);
  }

  /** Drops what was written and not kept. If nothing is kept, it also releases a buffer that a large message has grown. */
  clear(): void {
    if (this.#kept === 0 && this.#buffer.length > bytesToKeep) this.#buffer = Buffer.allocUnsafeSlow(16_384);
    this.#at = this.#buffer.length;
  }

  /** Moves what was written behind the kept messages. */
  keep(): void {
    this.#buffer.copyWithin(this.#kept, this.#at);
    this.#kept += this.length;
    this.clear();
  }

  /** Returns the kept messages, in a new buffer or one of the pool. What was written since stays. */
  take(buffers?: BufferPool): Buffer {
    const taken = buffers?.take(this.#kept) ?? Buffer.allocUnsafeSlow(this.#kept);
    this.#buffer.copy(taken, 0, 0, this.#kept);
    this.#kept = 0;
    if (this.length === 0) this.clear();
    return taken;
  }

  byte(value: number): void {
    if (this.#at === this.#kept) this.#grow(1);
    this.#buffer[--this.#at] = value;
  }

  /** An integer from 0 to 2^53-1. */
  varint(value: number): void {
    if (value < 128) {
      this.byte(value);
      return;
    }
    let length = 1;
    for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) length++;
    this.#reserve(length);
    let rest = value;
    for (let at = this.#at; at < this.#at + length - 1; at++) {
      this.#buffer[at] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    this.#buffer[this.#at + length - 1] = rest;
  }

  /** A signed 64-bit integer, as int64 is encoded: negative ones take ten bytes. */
  signedVarint(value: number): void {
    if (value >= 0) {
      this.varint(value);
      return;
    }
    let rest = BigInt.asUintN(64, BigInt(value));
    this.#reserve(10);
    for (let index = 0; index < 9; index++) {
      this.#buffer[this.#at + index] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#buffer[this.#at + 9] = Number(rest);
  }

  double(value: number): void {
    this.#reserve(8);
    this.#buffer.writeDoubleLE(value, this.#at);
  }

  bytes(value: Uint8Array): void {
    this.#reserve(value.length);
    this.#buffer.set(value, this.#at);
  }

  /** Text as UTF-8. It must be well-formed: a lone surrogate would silently become U+FFFD. */
  text(value: string): void {
    const { length } = value;
    if (length <= 24) {
      this.#reserve(length);
      let index = 0;
      for (let code = 0; index < length && (code = value.charCodeAt(index)) < 0x80; index++) {
        this.#buffer[this.#at + index] = code;
      }
      if (index === length) return;
      this.#at += length;
    }
    this.#reserve(Buffer.byteLength(value));
    this.#buffer.write(value, this.#at);
  }

  #reserve(length: number): void {
    if (this.#at - this.#kept < length) this.#grow(length);
    this.#at -= length;
  }

  #grow(length: number): void {
    const used = this.length;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, this.#kept + used + length));
    this.#buffer.copy(grown, 0, 0, this.#kept);
    this.#buffer.copy(grown, grown.length - used, this.#at);
    this.#at = grown.length - used;
    this.#buffer = grown;
  }
}
