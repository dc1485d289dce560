import { CsvError, Parser } from "csv-parse";
import type { Stream } from "../streams/index.js";
import { type ByteSource, type ByteSourceOptions, defaultRowBytes, nameOf, openBytes } from "./byte-source.js";
import { readHeader, type RowReader } from "./csv-columns.js";
import type { CsvMapping } from "./csv-mapping.js";
import { FileFormatError } from "./file-format-error.js";
import { type FileRow, makeRow } from "./file-row.js";
import { LineEnds } from "./line-ends.js";
import { type ChunkParser, itemsThenFailure, parseChunks } from "./parse-chunks.js";
import { Utf8Check } from "./utf8-check.js";

export interface CsvOptions extends ByteSourceOptions, CsvMapping {
  /** The text between values. Default a comma. */
  readonly delimiter?: string | undefined;
}

/** CSV of RFC 4180 with a header; lines may also end with LF or CR. */
export function rowsFromCsv(source: ByteSource, options: CsvOptions = {}): Stream<FileRow> {
  if (options.delimiter !== undefined && !isDelimiter(options.delimiter)) {
    throw new RangeError("delimiter: must be a text without quotes and line ends");
  }
  const name = nameOf(source, options);
  return parseChunks(openBytes(source, options), new CsvRows(name, options));
}

/** Whether a text can separate values. A line end cannot: it would make the whole file one row. */
export function isDelimiter(text: string): boolean {
  return /^[^"\r\n]+$/.test(text);
}

interface RowContext {
  /** The line of the row's end, where each CR and each LF inside quotes counts as a line. */
  readonly lines: number;
  /** Empty lines so far. */
  readonly empty_lines: number;
}

class CsvRows implements ChunkParser<FileRow> {
  readonly #name: string;
  readonly #mapping: CsvMapping;
  readonly #parser: Parser;
  readonly #lineEnds = new LineEnds();
  readonly #utf8 = new Utf8Check();
  readonly #maxRowBytes: number;
  #read: RowReader | undefined;
  /** The rows of the present chunk so far. */
  #rows: FileRow[] = [];
  #failure: { readonly error: unknown } | undefined;
  /**
   * Bytes since the last row began. The parser's limit does not count delimiters, so a row of commas has no length
   * there.
   */
  #openBytes = 0;
  /** The line after the last row. */
  #line = 1;
  #emptyLines = 0;
  /** Lines that the parser counted in excess: each CR inside quotes. */
  #linesTooMany = 0;
  /** The line of a fault: rows end before it. */
  #endLine = Number.POSITIVE_INFINITY;

  constructor(name: string, options: CsvOptions) {
    this.#name = name;
    this.#mapping = options;
    this.#maxRowBytes = options.maxRowBytes ?? defaultRowBytes;
    this.#parser = new Parser({
      bom: true,
      delimiter: options.delimiter ?? ",",
      record_delimiter: ["\r\n", "\n"],
      relax_column_count: true,
      skip_empty_lines: true,
      max_record_size: this.#maxRowBytes,
      // Takes each row and returns null, so that the stream queues none: on an error it would drop the queued rows.
      on_record: (values: string[], context: RowContext) => {
        this.#take(values, context);
        return null;
      },
    });
    // The callback of the write reports the failure.
    this.#parser.on("error", () => {});
  }

  async write(chunk: Uint8Array): Promise<Iterable<FileRow>> {
    const { bytes, fault } = this.#lineEnds.take(chunk);
    const sound = this.#utf8.soundBytes(bytes);
    this.#openBytes += sound;
    const error = await new Promise<unknown>((resolve) => {
      const written = Buffer.from(bytes.buffer, bytes.byteOffset, sound);
      this.#parser.write(written, (failure) => resolve(failure ?? undefined));
    });
    if (error !== undefined) return this.#taken(error);
    if (sound < bytes.length) return this.#takenBeforeFault(this.#utf8.line, "must be UTF-8");
    return fault === undefined ? this.#taken(undefined) : this.#takenBeforeFault(fault.line, fault.problem);
  }

  async end(): Promise<Iterable<FileRow>> {
    if (!this.#utf8.isSoundAtEnd()) return this.#takenBeforeFault(this.#utf8.line, "must be UTF-8");
    const error = await this.#endParser(this.#lineEnds.end());
    if (error === undefined && this.#failure === undefined && this.#read === undefined) {
      return itemsThenFailure([], new FileFormatError(`${this.#name}:1`, "is empty: the first row names the columns"));
    }
    return this.#taken(error);
  }

  /** Ends the parser first: it holds back the last row until it sees what follows. */
  async #takenBeforeFault(line: number, problem: string): Promise<Iterable<FileRow>> {
    this.#endLine = line;
    await this.#endParser();
    const fault = new FileFormatError(`${this.#name}:${line}`, problem);
    return this.#failure === undefined ? itemsThenFailure(this.#rows, fault) : this.#taken(undefined);
  }

  #endParser(last: Uint8Array = Buffer.alloc(0)): Promise<unknown> {
    return new Promise((resolve) => {
      this.#parser.once("error", resolve);
      this.#parser.end(last, (error?: unknown) => resolve(error ?? undefined));
    });
  }

  #taken(error: unknown): Iterable<FileRow> {
    const rows = this.#rows;
    this.#rows = [];
    if (this.#failure !== undefined) return itemsThenFailure(rows, this.#failure.error);
    if (error !== undefined) return itemsThenFailure(rows, this.#faultOf(error));
    if (this.#openBytes > this.#maxRowBytes) return itemsThenFailure(rows, this.#tooLong());
    return rows;
  }

  #take(values: string[], { lines, empty_lines: emptyLines }: RowContext): void {
    const returns = countOf("\r", values);
    this.#linesTooMany += returns;
    const line = lines - this.#linesTooMany;
    // Rows at or after a fault are not read.
    if (this.#failure !== undefined || line >= this.#endLine) return;
    this.#openBytes = 0;
    const where = `${this.#name}:${line - countOf("\n", values)}`;
    this.#line = line + 1;
    this.#emptyLines = emptyLines;
    if (this.#read !== undefined) {
      const read = this.#read;
      this.#rows.push(makeRow(where, () => read(values, where)));
      return;
    }
    try {
      this.#read = readHeader(values, this.#mapping, where);
    } catch (error) {
      this.#failure = { error };
    }
  }

  #tooLong(): FileFormatError {
    const size = `is longer than ${this.#maxRowBytes} bytes`;
    return this.#faultInOpenRow(`the row that begins here ${size}: is a quote left open?`);
  }

  #faultInOpenRow(problem: string, cause?: unknown): FileFormatError {
    const line = this.#line + this.#parser.info.empty_lines - this.#emptyLines;
    return new FileFormatError(`${this.#name}:${line}`, problem, cause);
  }

  #faultOf(error: unknown): unknown {
    if (!(error instanceof CsvError)) return error;
    if (error.code === "CSV_MAX_RECORD_SIZE") return this.#tooLong();
    return this.#faultInOpenRow(faults.get(error.code) ?? error.message, error);
  }
}

const faults: ReadonlyMap<string, string> = new Map([
  ["CSV_QUOTE_NOT_CLOSED", "the file ends inside quotes that this row opens"],
  ["CSV_INVALID_CLOSING_QUOTE", "has text after a closing quote; a quote inside quotes must be written twice"],
  ["INVALID_OPENING_QUOTE", "has a quote inside a value that does not begin with one"],
]);

function countOf(character: string, values: readonly string[]): number {
  let count = 0;
  for (const value of values) {
    for (let at = value.indexOf(character); at !== -1; at = value.indexOf(character, at + 1)) count += 1;
  }
  return count;
}
