import { defaultLimits, MillraceError } from "../core/index.js";
import { filterMap, type Stream } from "../streams/index.js";
import { BackwardWriter, type RecordInput, stampBytes, writeRecord } from "../wire/index.js";
import { FileFormatError } from "./file-format-error.js";

/** One row, line or feature of a file. */
export type FileRow =
  /** A record that the server will accept; `bytes` counts towards the limits of a batch. */
  | { readonly kind: "record"; readonly record: RecordInput; readonly bytes: number; readonly where: string }
  /** A row that a record cannot hold; later rows can still be read. */
  | { readonly kind: "bad"; readonly error: FileFormatError };

export type GoodRow = Extract<FileRow, { kind: "record" }>;

export interface BadRowOptions {
  /** Leave out up to this many bad rows; one more ends the stream with its FileFormatError. Default 0. */
  readonly skipBad?: number | undefined;
  /** Receives each row that is left out. */
  readonly onSkipped?: ((error: FileFormatError) => void) | undefined;
}

/** Shared by all calls: encoding is synchronous. */
const writer = new BackwardWriter();

/** Makes a record and checks it as the server would, while its place in the file is known. */
export function makeRow(where: string, make: () => RecordInput): FileRow {
  try {
    const record = make();
    return { kind: "record", record, bytes: recordBytes(record, where), where };
  } catch (error) {
    if (error instanceof FileFormatError) return { kind: "bad", error };
    throw error;
  }
}

function recordBytes(record: RecordInput, where: string): number {
  writer.clear();
  try {
    writeRecord(writer, record, "record");
  } catch (error) {
    throw refusalAt(where, error);
  }
  const bytes = writer.length + stampBytes;
  if (bytes <= defaultLimits.recordBytes) return bytes;
  throw new FileFormatError(
    where,
    `makes a record of ${bytes} bytes, at most ${defaultLimits.recordBytes} are allowed`,
  );
}

function refusalAt(where: string, error: unknown): unknown {
  const [violation] = error instanceof MillraceError ? error.violations : [];
  if (violation === undefined) return error;
  const field = violation.field.replace(/^record\.?/, "");
  return new FileFormatError(where, `${field} ${violation.description}`.trim(), error);
}

/** The encoded record without the server's stamp: equal records have equal bytes. */
export function encodedRecord(record: RecordInput): Buffer {
  writer.clear();
  writeRecord(writer, record, "record");
  return Buffer.from(writer.written);
}

/** The good rows. Ends with the error of the first bad row beyond `skipBad`. */
export function goodRows(rows: Stream<FileRow>, { skipBad = 0, onSkipped }: BadRowOptions = {}): Stream<GoodRow> {
  let skipped = 0;
  return filterMap(rows, (row): GoodRow | undefined => {
    if (row.kind === "record") return row;
    skipped += 1;
    if (skipped > skipBad) throw row.error;
    onSkipped?.(row.error);
    return undefined;
  });
}
