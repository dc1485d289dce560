import { inject } from "vitest";
import { type ProgramOptions, type ProgramResult, runProgram } from "../support/run-program.js";

/** What `npx millrace` runs. */
export const cliEntry = inject("cliEntry");

/** Runs `millrace …` as a process of its own, and resolves when it has ended. */
export function runCli(args: readonly string[], options?: ProgramOptions): Promise<ProgramResult> {
  return runProgram(cliEntry, args, options);
}
