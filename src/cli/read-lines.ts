import { isUtf8 } from "node:buffer";
import { CommandError } from "./output.js";

/** One line of input, and where it stood. */
export interface InputLine {
  readonly text: string;
  /** FILE:LINE. */
  readonly where: string;
}

/** A line longer than this cannot become a record of 1 MiB. */
const lineBytesMax = 16 * 1_048_576;
const newline = 0x0a;

/**
 * The lines of a stream of bytes, as they come. Ends of lines are LF or CRLF; a byte order mark at the start is dropped.
 * Throws a CommandError for bytes that are no UTF-8, rather than change them.
 */
export async function* readLines(
  chunks: AsyncIterable<Buffer>,
  name: string,
  onBytes: (count: number) => void,
): AsyncGenerator<InputLine, void> {
  let parts: Buffer[] = [];
  let partBytes = 0;
  let number = 0;
  const lineOf = (bytes: Buffer): InputLine => {
    number += 1;
    return { text: decodeLine(bytes, `${name}:${number}`, number === 1), where: `${name}:${number}` };
  };
  for await (const chunk of chunks) {
    onBytes(chunk.length);
    let start = 0;
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, start)) {
      const tail = chunk.subarray(start, end);
      start = end + 1;
      if (parts.length === 0) yield lineOf(tail);
      else {
        parts.push(tail);
        const whole = Buffer.concat(parts);
        parts = [];
        partBytes = 0;
        yield lineOf(whole);
      }
    }
    if (start === chunk.length) continue;
    parts.push(chunk.subarray(start));
    partBytes += chunk.length - start;
    if (partBytes > lineBytesMax) {
      throw new CommandError(`${name}:${number + 1}: the line is longer than ${lineBytesMax} bytes`);
    }
  }
  if (partBytes > 0) yield lineOf(Buffer.concat(parts));
}

function decodeLine(bytes: Buffer, where: string, isFirst: boolean): string {
  if (!isUtf8(bytes)) throw new CommandError(`${where}: must be UTF-8`);
  const text = bytes.toString("utf8");
  const start = isFirst && text.startsWith("\ufeff") ? 1 : 0;
  return text.slice(start, text.endsWith("\r") ? -1 : undefined);
}
