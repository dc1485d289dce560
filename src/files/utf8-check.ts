import { isUtf8 } from "node:buffer";

const newline = 0x0a;

/** Checks that chunks are UTF-8, for parsers that would replace invalid bytes. */
export class Utf8Check {
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  #line = 1;
  /** The first bytes of a character that was cut at the end of the previous chunk. */
  #begun: Buffer = Buffer.alloc(0);

  /** The present line; after a fault, the line that is not UTF-8. */
  get line(): number {
    return this.#line;
  }

  /** How many bytes of a chunk are before the line that is not UTF-8; all if there is none. */
  soundBytes(chunk: Uint8Array): number {
    const bytes = Buffer.concat([this.#begun, chunk]);
    try {
      this.#decoder.decode(chunk, { stream: true });
    } catch {
      const start = badLineStart(bytes);
      this.#line += newlinesIn(bytes.subarray(0, start));
      return Math.max(0, start - this.#begun.length);
    }
    this.#line += newlinesIn(chunk);
    this.#begun = Buffer.from(bytes.subarray(bytes.length - begunBytes(bytes)));
    return chunk.length;
  }

  /** Whether the last character is complete. */
  isSoundAtEnd(): boolean {
    return this.#begun.length === 0;
  }
}

function newlinesIn(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(newline); at !== -1; at = bytes.indexOf(newline, at + 1)) count += 1;
  return count;
}

/** How many bytes at the end of valid bytes belong to an incomplete character. */
function begunBytes(bytes: Uint8Array): number {
  for (let count = 1; count <= Math.min(3, bytes.length); count++) {
    const byte = bytes[bytes.length - count] as number;
    if (byte < 0x80) return 0;
    if (byte < 0xc0) continue;
    const length = byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
    return count < length ? count : 0;
  }
  return 0;
}

/** Where the first line begins that is not UTF-8. If no earlier line is, the fault is in the last one. */
function badLineStart(bytes: Uint8Array): number {
  for (let start = 0; ; ) {
    const end = bytes.indexOf(newline, start);
    if (end === -1 || !isUtf8(bytes.subarray(start, end))) return start;
    start = end + 1;
  }
}
