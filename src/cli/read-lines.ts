import {
  enumerate,
  LineNotUtf8Error,
  lines,
  LineTooLongError,
  map,
  mapError,
  pipe,
  type Stream,
  tap,
} from "../streams/index.js";
import { CommandError } from "./output.js";

/** One line of input, with its place. */
export interface InputLine {
  readonly text: string;
  /** FILE:LINE. */
  readonly where: string;
}

/** A line longer than this cannot become a record of 1 MiB. */
const lineBytesMax = 16 * 1_048_576;

/**
 * The lines of a stream of bytes, which end with LF or CRLF. A byte order mark at the start is dropped. Fails with a
 * CommandError for bytes that are not UTF-8, instead of replacing them, and for a line of more than 16 MiB.
 */
export function readLines(
  chunks: AsyncIterable<Buffer>,
  name: string,
  onBytes: (count: number) => void,
): Stream<InputLine> {
  return pipe(
    chunks,
    tap((chunk) => onBytes(chunk.length)),
    (bytes) => lines(bytes, { maxLineBytes: lineBytesMax, invalidUtf8: "fail", name }),
    enumerate(),
    map(([index, text]) => ({ text, where: `${name}:${index + 1}` })),
    mapError((error) => {
      if (error instanceof LineNotUtf8Error) return new CommandError(`${name}:${error.line}: must be UTF-8`);
      if (!(error instanceof LineTooLongError)) return error;
      return new CommandError(`${name}:${error.line}: the line is longer than ${lineBytesMax} bytes`);
    }),
  );
}
