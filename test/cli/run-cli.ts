import { type ProgramOptions, type ProgramResult, runProgram } from "../support/run-program.js";

const entry = new URL("../../dist/cli/main.js", import.meta.url).pathname;

/** Runs `millrace …` as a process of its own, and resolves when it has ended. */
export function runCli(args: readonly string[], options?: ProgramOptions): Promise<ProgramResult> {
  return runProgram(entry, args, options);
}
