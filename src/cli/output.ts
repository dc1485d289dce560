/** Where a command prints: standard output with its backpressure, standard error for what people should know. */

import { once } from "node:events";
import type { OutputStream } from "./program-io.js";

/** A failure that has a sentence for people, and an exit code: 1 for a failure, 2 for wrong usage. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly exitCode: number;

  constructor(message: string, exitCode = 1, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.exitCode = exitCode;
  }
}

/** The reader of our output went away (`| head`): no failure, but nothing is left to do. */
export class OutputClosedError extends Error {
  override readonly name = "OutputClosedError";

  constructor() {
    super("Cannot print: nobody reads the output any more");
  }
}

export interface Output {
  /** Whether a person looks at standard output. */
  readonly isTerminal: boolean;
  /** Whether a person looks at standard error. */
  readonly isErrorTerminal: boolean;
  /** Prints a line; resolves when there is room for another. Throws an OutputClosedError when nobody reads any more. */
  print(line: string): Promise<void>;
  /** Prints a line, or several, on standard error. */
  tell(text: string): void;
  /** Waits until everything is written. Throws an OutputClosedError when it was not, as nobody reads any more. */
  written(): Promise<void>;
  /** Waits until everything is written, if anybody reads it: for the end. */
  finish(): Promise<void>;
}

/** Lines are gathered up to this size, since a write a line would cost a system call a line. */
const gatheredLength = 16_384;

/** The output on two streams. Its listeners for their errors stay: a reader may leave after the end. */
export function outputOn(stdout: OutputStream, stderr: OutputStream): Output {
  let isClosed = false;
  let gathered = "";
  let flushing: NodeJS.Immediate | undefined;
  // EPIPE comes as an event; without a listener it would end the process with a stack trace.
  stdout.on("error", () => {
    isClosed = true;
  });
  stderr.on("error", () => {});

  const flush = (): boolean => {
    clearImmediate(flushing);
    flushing = undefined;
    if (gathered === "" || isClosed) return true;
    const text = gathered;
    gathered = "";
    return stdout.write(text);
  };
  const room = async (): Promise<void> => {
    if (flush() || isClosed) return;
    // "close" comes instead of "drain" when the reader goes away meanwhile.
    const settled = new AbortController();
    try {
      const { signal } = settled;
      await Promise.race([once(stdout, "drain", { signal }), once(stdout, "close", { signal })]);
    } catch {
      isClosed = true;
    } finally {
      settled.abort();
    }
  };

  const finish = async (): Promise<void> => {
    flush();
    if (isClosed || stdout.writableLength === 0) return;
    await new Promise<void>((resolve) => {
      stdout.write("", () => resolve());
    });
  };

  return {
    isTerminal: stdout.isTTY === true,
    isErrorTerminal: stderr.isTTY === true,
    async print(line) {
      if (isClosed) throw new OutputClosedError();
      gathered += `${line}\n`;
      if (gathered.length >= gatheredLength) await room();
      // Nobody waits for company: a line of a live stream appears at once.
      else flushing ??= setImmediate(flush);
    },
    tell(text) {
      stderr.write(`${text}\n`);
    },
    async written() {
      await finish();
      // A write that failed is told by an event, a turn later.
      await new Promise((resolve) => setImmediate(resolve));
      if (isClosed) throw new OutputClosedError();
    },
    finish,
  };
}
