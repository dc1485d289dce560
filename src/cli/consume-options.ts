import { splitCommandLine } from "./command-line.js";
import type { Start } from "../client/index.js";
import { CommandError } from "./output.js";
import type { RecordCommand } from "./record-command.js";

export interface ConsumeCommandOptions {
  readonly topic?: string;
  readonly start?: Start;
  /** A command line; true: the command is after `--`. */
  readonly exec?: string | true;
  readonly concurrency?: number;
  readonly window?: number;
  readonly windowBytes?: number;
  readonly limit?: number;
  readonly consumer?: string;
}

/** What is consumed, and how. */
export interface ConsumeTask {
  readonly target: string | { readonly topic: string; readonly start: Start | undefined };
  /** Undefined: print the records. */
  readonly run: RecordCommand | undefined;
  readonly window: { readonly records: number | undefined; readonly bytes: number | undefined };
}

/** Checks the arguments and options of `consume`. Throws a CommandError (2) when they do not fit together. */
export function readConsumeTask(words: readonly string[], options: ConsumeCommandOptions): ConsumeTask {
  const { topic, start, exec, limit = Infinity, concurrency, window, windowBytes: bytes } = options;
  const subscription = topic === undefined ? words[0] : undefined;
  const rest = topic === undefined ? words.slice(1) : words;
  if (topic === undefined && subscription === undefined) throw refused("give a subscription, or --topic");
  if (topic === undefined && start !== undefined) {
    throw refused("--start is for --topic; `subscription seek` moves a subscription");
  }
  if (exec === undefined && concurrency !== undefined) throw refused("--concurrency is for --exec");
  if (exec !== true && rest.length > 0) {
    throw refused(`unexpected argument ${JSON.stringify(rest[0])}${exec === undefined ? "" : " after a command line"}`);
  }
  // No larger than the limit: records beyond it would be taken from other consumers, only to be released.
  const records = limit < (window ?? defaultWindow) ? limit : window;
  return {
    target: subscription ?? { topic: topic ?? "", start },
    run: exec === undefined ? undefined : commandOf(exec === true ? rest : splitCommandLine(exec)),
    window: { records, bytes },
  };
}

/** The client's default window, in records. */
const defaultWindow = 1000;

function commandOf([program, ...args]: readonly string[]): RecordCommand {
  if (program === undefined) throw refused("give the command after --exec, or after --exec --");
  return { program, args };
}

function refused(why: string): CommandError {
  return new CommandError(`consume: ${why}`, 2);
}
