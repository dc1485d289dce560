import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
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

export interface RunningExample {
  readonly child: ChildProcess;
  readonly ended: Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>;
}

/** Starts an example that is to be harmed while it runs. */
export function startExample(
  name: string,
  args: readonly string[],
  input: "ignore" | "pipe" = "ignore",
): RunningExample {
  const child = spawn(process.execPath, [exampleEntry(name), ...args], { stdio: [input, "pipe", "pipe"] });
  const { stdout: out, stderr: err } = child;
  if (out === null || err === null) throw new Error("It has no output");
  const ended = Promise.all([once(child, "close"), text(out), text(err)]).then(([[code], stdout, stderr]) => ({
    code: code as number | null,
    stdout,
    stderr,
  }));
  return { child, ended };
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
