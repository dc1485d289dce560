import { isUtf8 } from "node:buffer";
import { FileFormatError } from "./file-format-error.js";
import { isPlainObject, type PlainObject } from "./json-value.js";
import { type ChunkParser, itemsThenFailure } from "./parse-chunks.js";

/** A piece of a JSON file that is an item of its own. */
export type JsonPiece =
  /** An element of the list; its text is not parsed yet. */
  | { readonly kind: "element"; readonly text: string; readonly index: number }
  /** A whole value of the sequence, without the elements that came out of it. */
  | { readonly kind: "value"; readonly value: PlainObject; readonly hadList: boolean };

const quote = 0x22;
const backslash = 0x5c;
const colon = 0x3a;
const comma = 0x2c;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;
/** Stands before each value of a sequence by RFC 8142. */
const recordSeparator = 0x1e;

const byteOrderMark = [0xef, 0xbb, 0xbf] as const;

/** How far back the name of a list may begin. */
const tailBytes = 256;

/**
 * Splits a sequence of JSON objects, one or many, with anything blank between them, and the elements of one list member
 * out of each, as the bytes come. What it gives is cut by brackets and quotes alone, and JSON.parse has the last word on
 * every piece: so it costs a look at each byte, `__proto__` is a name like others, and nothing but a piece is held. (A
 * parser of tokens took five times as long, and its objects take their prototype from the file.)
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
  /** The text of the piece that has begun, in earlier chunks. */
  #parts: Buffer[] = [];
  #partBytes = 0;
  /** The object around the list, up to where the list begins. */
  #around: Buffer[] = [];
  #aroundBytes = 0;
  #hadList = false;
  #index = 0;
  #line = 1;
  /** How many bytes were looked at, up to where a byte order mark may end. */
  #started = 0;
  /** Elements of the list under way. */
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
    // Where the text that belongs to the piece under way begins.
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
            this.#giveElement(bytes, start, at, true);
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
            this.#giveElement(bytes, start, at, false);
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

  /** How many bytes of a byte order mark at the start of the file this chunk begins with. */
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

  /** Does `"list":` stand before this bracket? A quote before it that is escaped makes it the end of another name. */
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

  /** The last bytes of the piece under way: a name, a colon and some blanks find room in them. */
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
    // A copy: the source may use the chunk again.
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

  #giveElement(bytes: Buffer, start: number, end: number, isLast: boolean): void {
    const text = this.#text(bytes, start, end);
    // An empty list; an empty element elsewhere is for JSON.parse to refuse.
    const isEmptyList = isLast && this.#listed === 0 && text.trim() === "";
    if (isLast) this.#hadList = true;
    this.#listed = isLast ? 0 : this.#listed + 1;
    if (isEmptyList) return;
    this.#pieces.push({ kind: "element", text, index: this.#index });
    this.#index += 1;
  }

  #giveValue(bytes: Buffer, start: number, end: number): void {
    const text = this.#text(bytes, start, end);
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      throw this.#fault(`is no JSON: ${(error as Error).message}`);
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
