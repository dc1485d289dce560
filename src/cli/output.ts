/** The output of a command: standard output with backpressure, standard error for messages to the user. */

import { once } from "node:events";

/** An error with a message for the user and an exit code: 1 for a failure, 2 for wrong usage. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly exitCode: number;

  constructor(message: string, exitCode = 1, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.exitCode = exitCode;
  }
}

/** The reader of standard output has closed it (`| head`): no failure, but the command ends. */
export class OutputClosedError extends Error {
  override readonly name = "OutputClosedError";

  constructor() {
    super("Cannot print: the reader has closed the output");
  }
}

export interface Output {
  /** Whether standard output is a terminal. */
  readonly isTerminal: boolean;
  /** Whether standard error is a terminal. */
  readonly isErrorTerminal: boolean;
  /** Prints a line; resolves when there is room for another. Throws an OutputClosedError when the reader has left. */
  print(line: string): Promise<void>;
  /** Prints one or several lines on standard error. */
  tell(text: string): void;
  /** Waits until everything is written. Throws an OutputClosedError when the reader has left. */
  written(): Promise<void>;
  /** Waits until everything is written or the reader has left: for the end of the program. */
  finish(): Promise<void>;
}

/** Lines are gathered up to this length: one write per line would cost a system call each. */
const gatheredLength = 16_384;

/** The process's own output. */
export function processOutput(): Output {
  const { stdout, stderr } = process;
  let isClosed = false;
  let gathered = "";
  let flushing: NodeJS.Immediate | undefined;
  // EPIPE is an error event; without a listener it would end the process with a stack trace.
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
    // If the reader leaves meanwhile, the stream emits "close" instead of "drain".
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
      // Without a timer, so that a line of a live stream appears at once.
      else flushing ??= setImmediate(flush);
    },
    tell(text) {
      stderr.write(`${text}\n`);
    },
    async written() {
      await finish();
      // A failed write is reported by an event in the next turn.
      await new Promise((resolve) => setImmediate(resolve));
      if (isClosed) throw new OutputClosedError();
    },
    finish,
  };
}
