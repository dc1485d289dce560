/** Runs a command a record, without a shell: the record on its standard input, its exit code as the verdict. */

import { type ChildProcess, spawn } from "node:child_process";
import { CommandError } from "./output.js";
import { visible } from "./record-line.js";

export interface RecordCommand {
  readonly program: string;
  readonly args: readonly string[];
}

/** A record, as a command gets it. */
export interface CommandInput {
  /** Its JSON, on one line. */
  readonly line: string;
  readonly offset: number;
  readonly key: string;
  readonly attempt: number;
}

/** What a command made of a record. */
export type Verdict =
  | { readonly kind: "acknowledge" }
  | { readonly kind: "reject"; readonly reason: string }
  | { readonly kind: "park"; readonly reason: string };

/** The exit code of a command that wants a record set aside: another attempt would not help. */
export const parkCode = 100;

/** What is kept of a command's standard error, to find its last line in. The client cuts a reason to what the server takes. */
const tailBytes = 4096;

export interface CommandRunner {
  /**
   * Runs the command for a record. What it prints on standard error is passed on. When the signal aborts, the record is
   * somebody else's, and the command is ended by SIGTERM. Throws a CommandError where the command cannot be started.
   */
  run(input: CommandInput, signal: AbortSignal): Promise<Verdict>;
  /** Nothing runs any more. */
  close(): void;
}

/** Each command leads a process group of its own: Ctrl-C is for us alone, who let what is in hand come to its end. */
export function createCommandRunner({ program, args }: RecordCommand): CommandRunner {
  const running = new Set<ChildProcess>();
  // The second Ctrl-C ends this process at once. What it has started goes too.
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
        // A command need not read all of it.
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

/** What an exit code, or the signal that ended a command, says of its record. `errors` is the end of its standard error. */
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
    // It has ended by itself.
  }
}
