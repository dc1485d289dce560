import { CsvError, Parser } from "csv-parse";
import type { Stream } from "../streams/index.js";
import { type ByteSource, type ByteSourceOptions, nameOf, openBytes } from "./byte-source.js";
import { type CsvMapping, readHeader, type RowReader } from "./csv-columns.js";
import { FileFormatError } from "./file-format-error.js";
import { type FileRow, makeRow } from "./file-row.js";
import { type ChunkParser, itemsThenFailure, parseChunks } from "./parse-chunks.js";
import { rowBytesMax } from "./row-limit.js";
import { wholeUtf8 } from "./whole-utf8.js";

export interface CsvOptions extends ByteSourceOptions, CsvMapping {
  /** What stands between values. Default a comma. */
  readonly delimiter?: string | undefined;
}

/** CSV as RFC 4180 has it, with a header; lines may end with LF too. */
export function rowsFromCsv(source: ByteSource, options: CsvOptions = {}): Stream<FileRow> {
  const name = nameOf(source, options);
  return parseChunks(wholeUtf8(openBytes(source, options), name), new CsvRows(name, options));
}

interface RowContext {
  /** The line that the row ends on. */
  readonly lines: number;
}

class CsvRows implements ChunkParser<FileRow> {
  readonly #name: string;
  readonly #mapping: CsvMapping;
  readonly #parser: Parser;
  #read: RowReader | undefined;
  /** What the chunk has given so far. */
  #rows: FileRow[] = [];
  #failure: { readonly error: unknown } | undefined;
  /** Bytes since the last row began: a row of commas alone has values without end, and no length. */
  #openBytes = 0;
  #line = 1;

  constructor(name: string, options: CsvOptions) {
    this.#name = name;
    this.#mapping = options;
    this.#parser = new Parser({
      bom: true,
      delimiter: options.delimiter ?? ",",
      record_delimiter: ["\r\n", "\n"],
      relax_column_count: true,
      skip_empty_lines: true,
      max_record_size: rowBytesMax,
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
    this.#openBytes += chunk.length;
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    return this.#taken(
      await new Promise<unknown>((resolve) => void this.#parser.write(bytes, (error) => resolve(error ?? undefined))),
    );
  }

  async end(): Promise<Iterable<FileRow>> {
    const error = await new Promise<unknown>((resolve) => {
      this.#parser.once("error", resolve);
      this.#parser.end((error?: unknown) => resolve(error ?? undefined));
    });
    if (error === undefined && this.#failure === undefined && this.#read === undefined) {
      return itemsThenFailure([], new FileFormatError(`${this.#name}:1`, "is empty: the first row names the columns"));
    }
    return this.#taken(error);
  }

  #taken(error: unknown): Iterable<FileRow> {
    const rows = this.#rows;
    this.#rows = [];
    if (this.#failure !== undefined) return itemsThenFailure(rows, this.#failure.error);
    if (error !== undefined) return itemsThenFailure(rows, this.#faultOf(error));
    if (this.#openBytes > rowBytesMax) return itemsThenFailure(rows, this.#tooLong());
    return rows;
  }

  #take(values: string[], { lines }: RowContext): void {
    // The row of a fault ends the file: what comes behind it is not looked at.
    if (this.#failure !== undefined) return;
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
    const size = `is longer than ${rowBytesMax} bytes`;
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
