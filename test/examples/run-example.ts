import { readFile } from "node:fs/promises";
import { type ProgramOptions, type ProgramResult, runProgram } from "../support/run-program.js";

const folder = new URL("../../examples/", import.meta.url);

/** Where `make test` has compiled an example to. */
export function exampleEntry(name: string): string {
  return new URL(`.build/${name}/main.js`, folder).pathname;
}

/** Runs an example as `make example` does. */
export function runExample(name: string, args: readonly string[], options?: ProgramOptions): Promise<ProgramResult> {
  return runProgram(exampleEntry(name), args, options);
}

/** The output that an example's header shows: its lines behind the command, indented by four. */
export async function readHeaderOutput(name: string): Promise<string> {
  const source = await readFile(new URL(`${name}/main.ts`, folder), "utf8");
  const header = source.slice(0, source.indexOf("*/"));
  const shown = header.slice(header.indexOf("prints:"));
  return shown
    .split("\n")
    .filter((line) => line.startsWith(" *     "))
    .map((line) => `${line.slice(" *     ".length)}\n`)
    .join("");
}
