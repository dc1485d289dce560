import { isUtf8 } from "node:buffer";
import type { Source, Stream } from "../streams/index.js";
import { FileFormatError } from "./file-format-error.js";
import { itemsThenFailure, parseChunks } from "./parse-chunks.js";

const newline = 0x0a;

/**
 * The same chunks, as long as they are UTF-8: for parsers that would replace what is not. Fails with a FileFormatError
 * that names the line, after all that stands before that line.
 */
export function wholeUtf8(chunks: Source<Uint8Array>, name: string): Stream<Uint8Array> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let line = 1;
  const fault = () => new FileFormatError(`${name}:${line}`, "must be UTF-8");
  return parseChunks<Uint8Array>(chunks, {
    write(chunk) {
      try {
        decoder.decode(chunk, { stream: true });
      } catch {
        const start = badLineStart(chunk);
        line += newlinesIn(chunk.subarray(0, start));
        return itemsThenFailure([chunk.subarray(0, start)], fault());
      }
      line += newlinesIn(chunk);
      return [chunk];
    },
    end() {
      try {
        decoder.decode();
      } catch {
        return itemsThenFailure([], fault());
      }
      return [];
    },
  });
}

function newlinesIn(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(newline); at !== -1; at = bytes.indexOf(newline, at + 1)) count += 1;
  return count;
}

/** Where the first line begins that is not UTF-8. The first one may go on with a character of the chunk before. */
function badLineStart(chunk: Uint8Array): number {
  let start = 0;
  let from = 0;
  while (from < 3 && ((chunk[from] ?? 0) & 0xc0) === 0x80) from += 1;
  for (;;) {
    const end = chunk.indexOf(newline, from);
    // What is wrong stands in the last line if it stands in none before.
    if (end === -1 || !isUtf8(chunk.subarray(from, end))) return start;
    start = end + 1;
    from = start;
  }
}
