/** Runs a command for each record, without a shell: the record on its standard input, its exit code as the verdict. */

import { type ChildProcess, spawn } from "node:child_process";
import { CommandError } from "./output.js";
import { visible } from "./record-line.js";

export interface RecordCommand {
  readonly program: string;
  readonly args: readonly string[];
}

/** The input of a command. */
export interface CommandInput {
  /** The record's JSON, on one line. */
  readonly line: string;
  readonly offset: number;
  readonly key: string;
  readonly attempt: number;
}

/** What a command decided about a record. */
export type Verdict =
  | { readonly kind: "acknowledge" }
  | { readonly kind: "reject"; readonly reason: string }
  | { readonly kind: "park"; readonly reason: string };

/** The exit code that parks a record, for failures that another attempt would not resolve. */
export const parkCode = 100;

/**
 * How much of a command's standard error is kept, to find its last line. The client cuts reasons to the server's limit.
 */
const tailBytes = 4096;

export interface CommandRunner {
  /**
   * Runs the command for a record, and passes its standard error on. The signal aborts when the consumer has lost the
   * record; the command then receives SIGTERM. Throws a CommandError if the command cannot be started.
   */
  run(input: CommandInput, signal: AbortSignal): Promise<Verdict>;
  /** Call it when no command is running. */
  close(): void;
}

/** Each command has its own process group, so Ctrl-C reaches only this process, which lets running commands finish. */
export function createCommandRunner({ program, args }: RecordCommand): CommandRunner {
  const running = new Set<ChildProcess>();
  // A second Ctrl-C ends this process at once, and the running commands with it.
  const endAll = () => {
    for (const child of running) endGroup(child);
  };
  process.on("exit", endAll);
  return {
    run(input, signal) {
      return new Promise((resolve, reject) => {
        const child = spawn(program, args, {
          detached: true,
          stdio: ["pipe", "inherit", "pipe"],
          env: {
            ...process.env,
            MILLRACE_OFFSET: String(input.offset),
            MILLRACE_KEY: input.key,
            MILLRACE_ATTEMPT: String(input.attempt),
          },
        });
        const onAbort = () => endGroup(child);
        const settle = () => {
          running.delete(child);
          signal.removeEventListener("abort", onAbort);
        };
        running.add(child);
        signal.addEventListener("abort", onAbort);
        if (signal.aborted) onAbort();
        let tail = Buffer.alloc(0);
        child.stderr.on("data", (chunk: Buffer) => {
          process.stderr.write(chunk);
          tail = Buffer.concat([tail, chunk]).subarray(-tailBytes);
        });
        // A command need not read all its input.
        child.stdin.on("error", () => {});
        child.stdin.end(`${input.line}\n`);
        child.once("error", (error: NodeJS.ErrnoException) => {
          settle();
          const why = error.code === "ENOENT" ? "there is no such program" : error.message;
          reject(new CommandError(`Cannot run ${program}: ${why}`, 1, error));
        });
        child.once("close", (code, signalName) => {
          settle();
          resolve(verdictOf(code ?? signalName ?? "SIGKILL", tail.toString("utf8")));
        });
      });
    },
    close() {
      process.off("exit", endAll);
    },
  };
}

/** The verdict of an exit code, or of the signal that ended the command. `errors` is the end of its standard error. */
export function verdictOf(code: number | NodeJS.Signals, errors: string): Verdict {
  if (code === 0) return { kind: "acknowledge" };
  const lastLine = errors.trimEnd().split("\n").at(-1)?.trim() ?? "";
  const ending = typeof code === "number" ? `exit code ${code}` : code;
  const reason = lastLine === "" ? ending : `${ending}: ${visible(lastLine)}`;
  return { kind: code === parkCode ? "park" : "reject", reason };
}

function endGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGTERM");
  } catch {
    // The command has already ended.
  }
}
