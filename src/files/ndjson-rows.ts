import {
  enumerate,
  filterMap,
  lines,
  LineNotUtf8Error,
  LineTooLongError,
  mapError,
  pipe,
  type Stream,
} from "../streams/index.js";
import { type ByteSource, type ByteSourceOptions, defaultRowBytes, nameOf, openBytes } from "./byte-source.js";
import { FileFormatError } from "./file-format-error.js";
import { type FileRow, makeRow } from "./file-row.js";
import { parseJson } from "./json-value.js";
import { recordOfJson } from "./record-json.js";

/** NDJSON: one record per line, in proto3 JSON. Empty lines are skipped. */
export function rowsFromNdjson(source: ByteSource, options: ByteSourceOptions = {}): Stream<FileRow> {
  const name = nameOf(source, options);
  const { maxRowBytes = defaultRowBytes } = options;
  return pipe(
    lines(openBytes(source, options), { maxLineBytes: maxRowBytes, invalidUtf8: "fail", name }),
    enumerate(),
    filterMap(([index, text]): FileRow | undefined => {
      if (text.trim() === "") return undefined;
      const where = `${name}:${index + 1}`;
      const row = makeRow(where, () => recordOfJson(parseJson(text, where), where));
      // A file with bare CR line ends is one bad line here: fail, because `skipBad` would skip all its records. Inside
      // a valid JSON object, CR is only a blank.
      if (row.kind === "bad" && text.includes("\r") && !isJson(text)) {
        throw new FileFormatError(where, "has a CR that ends no line: end lines with LF or CRLF", row.error);
      }
      return row;
    }),
    mapError((error) => {
      if (error instanceof LineNotUtf8Error)
        return new FileFormatError(`${name}:${error.line}`, "must be UTF-8", error);
      if (!(error instanceof LineTooLongError)) return error;
      return new FileFormatError(`${name}:${error.line}`, `the line is longer than ${maxRowBytes} bytes`, error);
    }),
  );
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
