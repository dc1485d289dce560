import { CsvError, Parser } from "csv-parse";
import type { Stream } from "../streams/index.js";
import { type ByteSource, type ByteSourceOptions, defaultRowBytes, nameOf, openBytes } from "./byte-source.js";
import { type CsvMapping, readHeader, type RowReader } from "./csv-columns.js";
import { FileFormatError } from "./file-format-error.js";
import { type FileRow, makeRow } from "./file-row.js";
import { type ChunkParser, itemsThenFailure, parseChunks } from "./parse-chunks.js";
import { Utf8Check } from "./utf8-check.js";

export interface CsvOptions extends ByteSourceOptions, CsvMapping {
  /** What stands between values. Default a comma. */
  readonly delimiter?: string | undefined;
}

/** CSV as RFC 4180 has it, with a header; lines may end with LF too. */
export function rowsFromCsv(source: ByteSource, options: CsvOptions = {}): Stream<FileRow> {
  const name = nameOf(source, options);
  return parseChunks(openBytes(source, options), new CsvRows(name, options));
}

interface RowContext {
  /** The line that the row ends on. */
  readonly lines: number;
}

class CsvRows implements ChunkParser<FileRow> {
  readonly #name: string;
  readonly #mapping: CsvMapping;
  readonly #parser: Parser;
  readonly #utf8: Utf8Check;
  readonly #maxRowBytes: number;
  #read: RowReader | undefined;
  /** What the chunk has given so far. */
  #rows: FileRow[] = [];
  #failure: { readonly error: unknown } | undefined;
  /** Bytes since the last row began: a row of commas alone has values without end, and no length. */
  #openBytes = 0;
  #line = 1;
  /** The line that is not UTF-8: rows end before it. */
  #endLine = Number.POSITIVE_INFINITY;

  constructor(name: string, options: CsvOptions) {
    this.#name = name;
    this.#mapping = options;
    this.#utf8 = new Utf8Check();
    this.#maxRowBytes = options.maxRowBytes ?? defaultRowBytes;
    this.#parser = new Parser({
      bom: true,
      delimiter: options.delimiter ?? ",",
      record_delimiter: ["\r\n", "\n"],
      relax_column_count: true,
      skip_empty_lines: true,
      max_record_size: this.#maxRowBytes,
      // Told of each row, and keeps none: the stream's own queue would lose the rows before an error.
      on_record: (values: string[], context: RowContext) => {
        this.#take(values, context);
        return null;
      },
    });
    // Failures come with the write that made them.
    this.#parser.on("error", () => {});
  }

  async write(chunk: Uint8Array): Promise<Iterable<FileRow>> {
    const sound = this.#utf8.soundBytes(chunk);
    this.#openBytes += sound;
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, sound);
    const error = await new Promise<unknown>((resolve) => {
      this.#parser.write(bytes, (failure) => resolve(failure ?? undefined));
    });
    return sound === chunk.length || error !== undefined ? this.#taken(error) : this.#takenBeforeFault();
  }

  async end(): Promise<Iterable<FileRow>> {
    if (!this.#utf8.isSoundAtEnd()) return this.#takenBeforeFault();
    const error = await this.#endParser();
    if (error === undefined && this.#failure === undefined && this.#read === undefined) {
      return itemsThenFailure([], new FileFormatError(`${this.#name}:1`, "is empty: the first row names the columns"));
    }
    return this.#taken(error);
  }

  /** The parser holds back the row that it has read last, until it sees what follows. */
  async #takenBeforeFault(): Promise<Iterable<FileRow>> {
    this.#endLine = this.#utf8.line;
    await this.#endParser();
    const fault = new FileFormatError(`${this.#name}:${this.#endLine}`, "must be UTF-8");
    return this.#failure === undefined ? itemsThenFailure(this.#rows, fault) : this.#taken(undefined);
  }

  #endParser(): Promise<unknown> {
    return new Promise((resolve) => {
      this.#parser.once("error", resolve);
      this.#parser.end((error?: unknown) => resolve(error ?? undefined));
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

  #take(values: string[], { lines }: RowContext): void {
    // The row of a fault ends the file: what comes behind it is not looked at.
    if (this.#failure !== undefined || lines >= this.#endLine) return;
    this.#openBytes = 0;
    const where = `${this.#name}:${lines - newlinesIn(values)}`;
    this.#line = lines + 1;
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
    return new FileFormatError(
      `${this.#name}:${this.#line}`,
      `the row that begins here ${size}: is a quote left open?`,
    );
  }

  #faultOf(error: unknown): unknown {
    if (!(error instanceof CsvError)) return error;
    if (error.code === "CSV_MAX_RECORD_SIZE") return this.#tooLong();
    return new FileFormatError(`${this.#name}:${this.#line}`, faults.get(error.code) ?? error.message, error);
  }
}

const faults: ReadonlyMap<string, string> = new Map([
  ["CSV_QUOTE_NOT_CLOSED", "the file ends inside quotes that this row opens"],
  ["CSV_INVALID_CLOSING_QUOTE", "has text behind a closing quote; a quote inside quotes is written twice"],
  ["INVALID_OPENING_QUOTE", "has a quote inside a value that does not begin with one"],
]);

/** Ends of lines inside a row's values. */
function newlinesIn(values: readonly string[]): number {
  let count = 0;
  for (const value of values) {
    for (let at = value.indexOf("\n"); at !== -1; at = value.indexOf("\n", at + 1)) count += 1;
  }
  return count;
}
