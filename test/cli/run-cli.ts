import { EventEmitter } from "node:events";
import { Readable, Writable } from "node:stream";
import { inject } from "vitest";
import type { ProgramIo } from "../../src/cli/program-io.js";
import { runProgram as runCommandLine } from "../../src/cli/program.js";
import { type ProgramOptions, type ProgramResult, runProgram } from "../support/run-program.js";

/** The script that `npx millrace` runs. */
export const cliEntry = inject("cliEntry");

/** Runs `millrace …` as a process of its own, and resolves when it has ended. */
export function runCliProcess(args: readonly string[], options?: ProgramOptions): Promise<ProgramResult> {
  return runProgram(cliEntry, args, options);
}

/** Runs `millrace …` in this process: a process of its own takes half a second to load it. */
export async function runCli(args: readonly string[], options: ProgramOptions = {}): Promise<ProgramResult> {
  const signals = new EventEmitter();
  const kill = (signal: NodeJS.Signals) => void signals.emit("signal", signal);
  let stdout = "";
  let stderr = "";
  const io: ProgramIo = {
    input: Readable.from(options.input === undefined ? [] : [Buffer.from(options.input)]),
    stdout: writableTo((text) => {
      stdout += text;
      options.onOutput?.(stdout, kill);
    }),
    stderr: writableTo((text) => {
      stderr += text;
    }),
    environment: options.environment ?? {},
    listenForSignals(listener) {
      signals.on("signal", listener);
      return () => signals.off("signal", listener);
    },
    exit(code) {
      throw new Error(`The program was told twice to end, with ${code}`);
    },
  };
  const code = await runCommandLine(args, io);
  return { code, stdout, stderr, lines: stdout.split("\n").slice(0, -1) };
}

function writableTo(take: (text: string) => void): Writable {
  return new Writable({
    decodeStrings: false,
    write(chunk: string, _encoding, done) {
      take(chunk);
      done();
    },
  });
}
