import { Buffer, isUtf8 } from "node:buffer";
import { LineNotUtf8Error, LineTooLongError } from "../errors.js";
import { type Produced, Stage } from "../stage.js";
import { END, type End, PENDING, type Pending, type Stream } from "../stream.js";
import { isTurnOver, yieldToEventLoop } from "../waits/turn.js";
import type { Waker } from "../waits/waiter.js";
import { from, type Source } from "./from.js";

export interface LinesOptions {
  /** The longest line, without its line end, in bytes of UTF-8. Default 1 MiB. */
  readonly maxLineBytes?: number | undefined;
  /** What happens to bytes that are not UTF-8: U+FFFD, or an error that names the line. Default "replace". */
  readonly invalidUtf8?: "replace" | "fail" | undefined;
  /** The name of the source in errors. Default "the source". */
  readonly name?: string | undefined;
}

const newline = 0x0a;
const carriageReturn = 0x0d;
const byteOrderMark = "\ufeff";

/**
 * The lines of a text that comes in chunks of UTF-8 or strings, which may be cut anywhere. A line ends with `\n`,
 * `\r\n` or the end of the text. The line end is not part of the line; a `\r` at the end of the text and a byte order mark
 * at its start are dropped too.
 *
 * Holds a chunk, and a line of up to `maxLineBytes`. A longer line fails with a `LineTooLongError`, after the lines before
 * it. The source may overwrite a chunk once the next one is pulled. Lines share the memory of their chunk's text: copy them
 * if you keep few of many. Lines of one chunk need no promise. Closing it closes the source. O(1) a byte.
 *
 * @example
 * const chunks = ["one\r\nt", "wo\n", "three"];
 * console.log(await collect(lines(chunks), { limit: 10 })); // [ 'one', 'two', 'three' ]
 */
export function lines(source: Source<Uint8Array | string>, options: LinesOptions = {}): Stream<string> {
  return new Lines(from(source), options);
}

class Lines extends Stage<string> {
  readonly #source: Stream<Uint8Array | string>;
  readonly #maxLineBytes: number;
  readonly #invalidUtf8: "replace" | "fail";
  readonly #name: string;
  /** Whole lines, each with its line end, and where the next one begins. */
  #text = "";
  #at = 0;
  /** The rest of a chunk whose first line was completed before. */
  #rest: Buffer | undefined;
  /** Copies of the parts of an incomplete line. */
  #parts: Buffer[] = [];
  #partBytes = 0;
  /** The first half of a character, if a chunk of text was cut inside it. */
  #highSurrogate = "";
  /** How many lines were returned. */
  #returned = 0;
  #isFirst = true;
  #hasEnded = false;
  /** Thrown after the lines before it. */
  #failure: Error | undefined;

  constructor(source: Stream<Uint8Array | string>, options: LinesOptions) {
    super();
    const { maxLineBytes = 1_048_576, invalidUtf8 = "replace", name = "the source" } = options;
    if (!(maxLineBytes > 0)) throw new RangeError(`Cannot read lines of up to ${maxLineBytes} bytes`);
    this.#source = source;
    this.#maxLineBytes = maxLineBytes;
    this.#invalidUtf8 = invalidUtf8;
    this.#name = name;
  }

  protected override produce(waker: Waker): Produced<string> {
    for (;;) {
      if (this.#at < this.#text.length) return this.#nextLine();
      if (this.#failure !== undefined) throw this.#failure;
      const rest = this.#rest;
      if (rest !== undefined) {
        this.#rest = undefined;
        this.#splitRest(rest);
        continue;
      }
      if (this.#hasEnded) return END;
      const chunk = this.#source.poll(waker);
      if (chunk === PENDING) return PENDING;
      this.#take(chunk);
      // Chunks without a line end must not block the event loop.
      if (this.#at === this.#text.length && isTurnOver()) return yieldToEventLoop().then(again);
    }
  }

  protected override dispose(): Promise<void> | undefined {
    return this.#source.close();
  }

  #nextLine(): string {
    const text = this.#text;
    const start = this.#at;
    const end = text.indexOf("\n", start);
    this.#at = end + 1;
    this.#returned += 1;
    return text.slice(start, end > start && text.charCodeAt(end - 1) === carriageReturn ? end - 1 : end);
  }

  #take(chunk: Uint8Array | string | End): void {
    if (chunk === END) {
      this.#hasEnded = true;
      if (this.#highSurrogate !== "") this.#keep(Buffer.from(this.#highSurrogate));
      if (this.#partBytes > 0) this.#setText(this.#joined(Buffer.from("\n")));
      return;
    }
    const bytes = typeof chunk === "string" ? this.#encode(chunk) : this.#bytesOf(chunk);
    if (this.#partBytes === 0) {
      this.#splitRest(bytes);
      return;
    }
    const end = bytes.indexOf(newline);
    if (end === -1) {
      this.#keep(bytes);
      return;
    }
    this.#rest = bytes.subarray(end + 1);
    this.#setText(this.#joined(bytes.subarray(0, end + 1)));
  }

  /** Decodes the whole lines, and keeps the incomplete one. */
  #splitRest(bytes: Buffer): void {
    const end = bytes.lastIndexOf(newline) + 1;
    if (end > 0) this.#setText(bytes.subarray(0, end));
    if (end < bytes.length && this.#failure === undefined) this.#keep(bytes.subarray(end));
  }

  /** Keeps a copy: the source may overwrite the chunk, and a view would pin all of it. */
  #keep(bytes: Buffer): void {
    this.#parts.push(Buffer.from(bytes));
    this.#partBytes += bytes.length;
    // The extra byte may be the \r of its line end.
    if (this.#partBytes <= this.#maxLineBytes + 1) return;
    this.#failure = this.#tooLong(this.#linesIn(this.#text, this.#at));
    this.#parts = [];
    this.#partBytes = 0;
  }

  #joined(tail: Buffer): Buffer {
    const line = Buffer.concat([...this.#parts, tail]);
    this.#parts = [];
    this.#partBytes = 0;
    return line;
  }

  #setText(bytes: Buffer): void {
    const text = this.#validPart(bytes).toString("utf8");
    this.#text = text;
    this.#at = this.#isFirst && text.startsWith(byteOrderMark) ? 1 : 0;
    if (text !== "") this.#isFirst = false;
  }

  /** Returns the lines before the first invalid one, and notes its error. */
  #validPart(bytes: Buffer): Buffer {
    const mayBeTooLong = bytes.length > this.#maxLineBytes;
    const isInvalid = this.#invalidUtf8 === "fail" && !isUtf8(bytes);
    if (!mayBeTooLong && !isInvalid) return bytes;
    let count = 0;
    for (let start = 0, end: number; start < bytes.length; start = end + 1, count += 1) {
      end = bytes.indexOf(newline, start);
      const lineBytes = end - start - (end > start && bytes[end - 1] === carriageReturn ? 1 : 0);
      if (lineBytes > this.#maxLineBytes) this.#failure = this.#tooLong(count);
      else if (isInvalid && !isUtf8(bytes.subarray(start, end))) this.#failure = this.#notUtf8(count);
      else continue;
      this.#rest = undefined;
      return bytes.subarray(0, start);
    }
    return bytes;
  }

  #encode(chunk: string): Buffer {
    const text = this.#highSurrogate + chunk;
    const last = text.charCodeAt(text.length - 1);
    const isCut = last >= 0xd800 && last <= 0xdbff;
    this.#highSurrogate = isCut ? text.slice(-1) : "";
    return Buffer.from(isCut ? text.slice(0, -1) : text);
  }

  #bytesOf(chunk: Uint8Array): Buffer {
    const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    if (this.#highSurrogate === "") return bytes;
    const half = Buffer.from(this.#highSurrogate);
    this.#highSurrogate = "";
    return Buffer.concat([half, bytes]);
  }

  /** The number of lines that come before the failed one. */
  #linesIn(text: string, at: number): number {
    let count = 0;
    for (let end = text.indexOf("\n", at); end !== -1; end = text.indexOf("\n", end + 1)) count += 1;
    return count;
  }

  #tooLong(linesBefore: number): Error {
    return new LineTooLongError(this.#name, this.#returned + linesBefore + 1, this.#maxLineBytes);
  }

  #notUtf8(linesBefore: number): Error {
    return new LineNotUtf8Error(this.#name, this.#returned + linesBefore + 1);
  }
}

function again(): Pending {
  return PENDING;
}
