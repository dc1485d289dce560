import { inject } from "vitest";
import { type ProgramOptions, type ProgramResult, runProgram } from "../support/run-program.js";

/** The script that `npx millrace` runs. */
export const cliEntry = inject("cliEntry");

/** Runs `millrace …` as a process, and resolves when it has ended. */
export function runCli(args: readonly string[], options?: ProgramOptions): Promise<ProgramResult> {
  return runProgram(cliEntry, args, options);
}
