import { Stage } from "../stage.js";
import { END, PENDING, type Polled, type Stream } from "../stream.js";
import type { Waker } from "../waits/waiter.js";
import { from, type Source } from "./from.js";
import { linesOfFile } from "./lines-of-file.js";
import type { LinesOptions } from "./lines.js";

/** A line, with its file and number. */
export interface FileLine {
  readonly path: string;
  /** From 1. */
  readonly number: number;
  readonly line: string;
}

/**
 * The lines of one file after the other, each with its path and its number from 1. The next path is pulled when the
 * previous file has ended, so only one file is open. The first error of a file, a line, or the source of paths ends the
 * stream. Closing it closes the file and that source. Holds a chunk and a line. O(1) a byte.
 *
 * @example
 * const { writeFile, rm } = await import("node:fs/promises");
 * const path = `${(await import("node:os")).tmpdir()}/lines-of-files-${process.pid}.txt`;
 * await writeFile(path, "one\ntwo\n");
 * await forEach(linesOfFiles([path, path]), ({ number, line }) => console.log(number, line)); // 1 one 2 two 1 one 2 two
 * await rm(path);
 */
export function linesOfFiles(paths: Source<string>, options: LinesOptions = {}): Stream<FileLine> {
  // A string is iterable too: each character would be taken as a path.
  if (typeof paths === "string") throw new TypeError(`Cannot read the files of "${String(paths)}": it is not a list`);
  return new LinesOfFiles(from(paths), options);
}

class LinesOfFiles extends Stage<FileLine> {
  readonly #paths: Stream<string>;
  readonly #options: LinesOptions;
  #lines: Stream<string> | undefined;
  #path = "";
  #number = 0;

  constructor(paths: Stream<string>, options: LinesOptions) {
    super();
    this.#paths = paths;
    this.#options = options;
  }

  protected override produce(waker: Waker): Polled<FileLine> {
    // Opening each file is a wait, so this loop cannot run for long.
    for (;;) {
      if (this.#lines === undefined) {
        const path = this.#paths.poll(waker);
        if (path === PENDING || path === END) return path;
        this.#path = path;
        this.#number = 0;
        this.#lines = linesOfFile(path, this.#options);
      }
      const line = this.#lines.poll(waker);
      if (line === PENDING) return PENDING;
      if (line !== END) {
        this.#number += 1;
        return { path: this.#path, number: this.#number, line };
      }
      this.#lines = undefined;
    }
  }

  protected override dispose(): Promise<void> | undefined {
    const closing = [this.#lines?.close(), this.#paths.close()].filter((promise) => promise !== undefined);
    return closing.length === 0 ? undefined : Promise.all(closing).then(() => undefined);
  }
}
