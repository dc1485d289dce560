/** What the command line has of its process, as inputs: so that one process can run it many times. */

import type { Writable } from "node:stream";

/** What a shell calls a process that a signal ended: 128 and the signal's number. */
export const signalCodes = { SIGINT: 130, SIGTERM: 143 } as const;
export type EndSignal = keyof typeof signalCodes;

export interface OutputStream extends Writable {
  /** Whether a person looks at it. */
  readonly isTTY?: boolean;
}

export interface ProgramIo {
  readonly input: AsyncIterable<Buffer>;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Calls the listener at each signal, until what it returns is called. */
  listenForSignals(listener: (name: EndSignal) => void): () => void;
  /** Ends the process at once. */
  exit(code: number): void;
}

export const processIo: ProgramIo = {
  // Not before somebody reads: a process that reads nothing must not wait for its input.
  input: { [Symbol.asyncIterator]: () => process.stdin[Symbol.asyncIterator]() as AsyncIterator<Buffer> },
  stdout: process.stdout,
  stderr: process.stderr,
  environment: process.env,
  listenForSignals(listener) {
    const names = Object.keys(signalCodes) as EndSignal[];
    for (const name of names) process.on(name, listener);
    return () => {
      for (const name of names) process.off(name, listener);
    };
  },
  exit: (code) => process.exit(code),
};
