import { Buffer } from "node:buffer";
import { type FileHandle, open } from "node:fs/promises";
import { Stage } from "../stage.js";
import { END, type End, type Stream } from "../stream.js";
import { lines, type LinesOptions } from "./lines.js";

const chunkBytes = 65_536;

/**
 * The lines of a file, as `lines` splits them. The file is opened at the first pull, read on demand in chunks of 64 KiB,
 * and closed at the end, after an error, or when the stream is closed. Closing waits for a pending read. Errors of the file
 * system are passed on unchanged; an error of a line names the file. Holds a chunk and a line. O(1) a byte.
 *
 * @example
 * const { writeFile, rm } = await import("node:fs/promises");
 * const path = `${(await import("node:os")).tmpdir()}/lines-of-file-${process.pid}.txt`;
 * await writeFile(path, "one\ntwo\n");
 * console.log(await collect(linesOfFile(path), { limit: 10 })); // [ 'one', 'two' ]
 * await rm(path);
 */
export function linesOfFile(path: string, options: LinesOptions = {}): Stream<string> {
  return lines(new FileBytes(path), { name: path, ...options });
}

/** The bytes of a file. A chunk is overwritten by the next one: `lines` keeps copies. */
class FileBytes extends Stage<Uint8Array> {
  readonly #path: string;
  #opening: Promise<FileHandle> | undefined;
  #buffer: Buffer | undefined;

  constructor(path: string) {
    super();
    this.#path = path;
  }

  protected override async produce(): Promise<Uint8Array | End> {
    this.#opening ??= open(this.#path);
    const file = await this.#opening;
    if (this.isOver) return END;
    this.#buffer ??= Buffer.allocUnsafeSlow(chunkBytes);
    const { bytesRead } = await file.read(this.#buffer, 0, chunkBytes, null);
    return bytesRead === 0 ? END : this.#buffer.subarray(0, bytesRead);
  }

  protected override dispose(): Promise<void> | undefined {
    // If `open` failed, `produce` has thrown its error, and there is no file to close.
    return this.#opening?.then(
      (file) => file.close(),
      () => undefined,
    );
  }
}
