import { isUtf8 } from "node:buffer";
import { FileFormatError } from "./file-format-error.js";
import { isPlainObject, type PlainObject } from "./json-value.js";
import { type ChunkParser, itemsThenFailure } from "./parse-chunks.js";

/** A piece of a JSON file that is parsed by itself. */
export type JsonPiece =
  /** An element of the list; its text is not parsed yet. */
  | { readonly kind: "element"; readonly text: string; readonly index: number }
  /** A whole value of the sequence, without the elements that were taken out of it. */
  | { readonly kind: "value"; readonly value: PlainObject; readonly hadList: boolean };

const quote = 0x22;
const backslash = 0x5c;
const colon = 0x3a;
const comma = 0x2c;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;
/** The record separator before each value of an RFC 8142 sequence. */
const recordSeparator = 0x1e;

const byteOrderMark = [0xef, 0xbb, 0xbf] as const;

/** How far before a list its name may begin, in bytes. */
const tailBytes = 256;

/**
 * Splits a sequence of JSON objects, separated by blanks, and takes the elements of one list member out of each. It
 * looks only at brackets and quotes, and holds one piece at a time; JSON.parse then checks each piece. So it costs one
 * test per byte, and `__proto__` is a name like any other. (A token parser took five times as long, and its objects
 * take their prototype from the file.)
 *
 *   between ──{──▶ inside ──"list": [──▶ list ──]──▶ inside ──}──▶ between
 */
export class JsonSplitter implements ChunkParser<JsonPiece> {
  readonly #name: string;
  readonly #member: Buffer;
  readonly #maxPieceBytes: number;
  #state: "between" | "inside" | "list" = "between";
  /** How many brackets are open. */
  #depth = 0;
  #isInString = false;
  #isEscaped = false;
  /** The part of the present piece that was in earlier chunks. */
  #parts: Buffer[] = [];
  #partBytes = 0;
  /** The object around the list, up to where the list begins. */
  #around: Buffer[] = [];
  #aroundBytes = 0;
  #hadList = false;
  #index = 0;
  #line = 1;
  /** How many bytes were checked for a byte order mark. */
  #started = 0;
  /** Elements of the present list so far. */
  #listed = 0;
  #pieces: JsonPiece[] = [];

  constructor(name: string, member: string, maxPieceBytes: number) {
    this.#name = name;
    this.#maxPieceBytes = maxPieceBytes;
    this.#member = Buffer.from(JSON.stringify(member));
  }

  write(chunk: Uint8Array): Iterable<JsonPiece> {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    return this.#given(() => this.#scan(bytes));
  }

  end(): Iterable<JsonPiece> {
    return this.#given(() => {
      if (this.#state !== "between") throw this.#fault("ends in the middle of a value");
    });
  }

  #given(work: () => void): Iterable<JsonPiece> {
    try {
      work();
    } catch (error) {
      const pieces = this.#pieces;
      this.#pieces = [];
      return itemsThenFailure(pieces, error);
    }
    const pieces = this.#pieces;
    this.#pieces = [];
    return pieces;
  }

  #scan(bytes: Buffer): void {
    // Where the present piece begins in this chunk.
    let start = this.#state === "between" ? -1 : 0;
    for (let at = this.#markIn(bytes); at < bytes.length; at++) {
      const byte = bytes[at] as number;
      if (byte === 0x0a) this.#line += 1;
      if (this.#isInString) {
        if (this.#isEscaped) this.#isEscaped = false;
        else if (byte === backslash) this.#isEscaped = true;
        else if (byte === quote) this.#isInString = false;
        continue;
      }
      switch (byte) {
        case quote:
          if (this.#state === "between") throw this.#unexpected(byte);
          this.#isInString = true;
          break;
        case openBrace:
        case openBracket:
          if (this.#state === "between") {
            if (byte === openBracket) throw this.#unexpected(byte);
            this.#state = "inside";
            start = at;
          } else if (byte === openBracket && this.#depth === 1 && this.#isListNext(bytes, start, at)) {
            this.#keep(bytes, start, at + 1);
            this.#around = this.#parts;
            this.#aroundBytes = this.#partBytes;
            this.#forget();
            this.#state = "list";
            start = at + 1;
          }
          this.#depth += 1;
          break;
        case closeBrace:
        case closeBracket:
          if (this.#state === "between") throw this.#unexpected(byte);
          this.#depth -= 1;
          if (this.#state === "list" && this.#depth === 1) {
            this.#giveLastElement(bytes, start, at);
            this.#parts = this.#around;
            this.#partBytes = this.#aroundBytes;
            this.#around = [];
            this.#state = "inside";
            start = at;
          } else if (this.#depth === 0) {
            this.#giveValue(bytes, start, at + 1);
            this.#state = "between";
            start = -1;
          }
          break;
        case comma:
          if (this.#state === "between") throw this.#unexpected(byte);
          if (this.#state === "list" && this.#depth === 2) {
            this.#giveElement(bytes, start, at);
            start = at + 1;
          }
          break;
        default:
          if (this.#state === "between" && byte > 0x20) throw this.#unexpected(byte);
          if (this.#state === "between" && byte < 0x20 && !isBlank(byte)) throw this.#unexpected(byte);
      }
    }
    if (start !== -1) this.#keep(bytes, start, bytes.length);
  }

  /** How many bytes at the start of this chunk belong to the file's byte order mark. */
  #markIn(bytes: Buffer): number {
    let at = 0;
    while (this.#started < byteOrderMark.length && at < bytes.length) {
      if (bytes[at] !== byteOrderMark[this.#started]) this.#started = byteOrderMark.length;
      else {
        this.#started += 1;
        at += 1;
      }
    }
    return at;
  }

  /** Whether `"list":` is before this bracket. With an escaped opening quote, it is the end of another name. */
  #isListNext(bytes: Buffer, start: number, at: number): boolean {
    if (this.#hadList) return false;
    const before = this.#tail(bytes.subarray(start, at));
    let end = before.length;
    const skipBlank = () => {
      while (end > 0 && (before[end - 1] as number) <= 0x20) end -= 1;
    };
    skipBlank();
    if (before[end - 1] !== colon) return false;
    end -= 1;
    skipBlank();
    const from = end - this.#member.length;
    return from > 0 && before.subarray(from, end).equals(this.#member) && before[from - 1] !== backslash;
  }

  /** The last bytes of the present piece: enough for a name, a colon and some blanks. */
  #tail(last: Buffer): Buffer {
    let tail = last.subarray(-tailBytes);
    for (let at = this.#parts.length - 1; at >= 0 && tail.length < tailBytes; at--) {
      tail = Buffer.concat([this.#parts[at] as Buffer, tail]).subarray(-tailBytes);
    }
    return tail;
  }

  #keep(bytes: Buffer, start: number, end: number): void {
    if (start >= end) return;
    this.#partBytes += end - start;
    if (this.#partBytes > this.#maxPieceBytes)
      throw this.#fault(`${this.#place()} is longer than ${this.#maxPieceBytes} bytes`);
    // A copy: the source may reuse the chunk.
    this.#parts.push(Buffer.from(bytes.subarray(start, end)));
  }

  #forget(): void {
    this.#parts = [];
    this.#partBytes = 0;
  }

  #text(bytes: Buffer, start: number, end: number): string {
    const size = this.#partBytes + end - start;
    if (size > this.#maxPieceBytes) throw this.#fault(`${this.#place()} is longer than ${this.#maxPieceBytes} bytes`);
    const tail = bytes.subarray(start, end);
    const whole = this.#parts.length === 0 ? tail : Buffer.concat([...this.#parts, tail]);
    this.#forget();
    if (!isUtf8(whole)) throw this.#fault(`${this.#place()} must be UTF-8`);
    return whole.toString("utf8");
  }

  #giveElement(bytes: Buffer, start: number, end: number): void {
    this.#pushElement(this.#text(bytes, start, end));
    this.#listed += 1;
  }

  #giveLastElement(bytes: Buffer, start: number, end: number): void {
    const text = this.#text(bytes, start, end);
    // An empty list. JSON.parse refuses an empty element elsewhere.
    const isEmptyList = this.#listed === 0 && text.trim() === "";
    this.#hadList = true;
    this.#listed = 0;
    if (!isEmptyList) this.#pushElement(text);
  }

  #pushElement(text: string): void {
    this.#pieces.push({ kind: "element", text, index: this.#index });
    this.#index += 1;
  }

  #giveValue(bytes: Buffer, start: number, end: number): void {
    const text = this.#text(bytes, start, end);
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      throw this.#fault(`is not JSON: ${(error as Error).message}`);
    }
    if (!isPlainObject(value)) throw this.#fault("must be a JSON object");
    this.#pieces.push({ kind: "value", value, hadList: this.#hadList });
    this.#hadList = false;
  }

  #place(): string {
    return this.#state === "list" ? `element ${this.#index}` : "a value";
  }

  #unexpected(byte: number): FileFormatError {
    return this.#fault(`must be JSON objects, got ${JSON.stringify(String.fromCharCode(byte))}`);
  }

  #fault(problem: string): FileFormatError {
    return new FileFormatError(`${this.#name}:${this.#line}`, problem);
  }
}

function isBlank(byte: number): boolean {
  return byte === 0x09 || byte === 0x0a || byte === 0x0d || byte === recordSeparator;
}
