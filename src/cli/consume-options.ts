import { splitCommandLine } from "./command-line.js";
import type { Start } from "../client/index.js";
import { CommandError } from "./output.js";
import type { RecordCommand } from "./record-command.js";

export interface ConsumeCommandOptions {
  readonly topic?: string;
  readonly start?: Start;
  /** A command line; true: the command stands behind `--`. */
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
  /** Undefined: records are printed. */
  readonly run: RecordCommand | undefined;
  readonly window: { readonly records: number | undefined; readonly bytes: number | undefined };
}

/** Holds the words behind `consume` and its options against each other. Throws a CommandError (2) for what does not fit. */
export function readConsumeTask(words: readonly string[], options: ConsumeCommandOptions): ConsumeTask {
  const { topic, start, exec, limit = Infinity, concurrency, window, windowBytes: bytes } = options;
  const subscription = topic === undefined ? words[0] : undefined;
  const rest = topic === undefined ? words.slice(1) : words;
  if (topic === undefined && subscription === undefined) throw refused("say a subscription, or --topic");
  if (topic === undefined && start !== undefined) {
    throw refused("--start is for --topic; `subscription seek` moves a subscription");
  }
  if (exec === undefined && concurrency !== undefined) throw refused("--concurrency is for --exec");
  if (exec !== true && rest.length > 0) {
    throw refused(`${JSON.stringify(rest[0])} is too many${exec === undefined ? "" : " beside a command line"}`);
  }
  // No more than is wanted: what is beyond the limit would only be taken from others, and given back.
  const records = limit < (window ?? defaultWindow) ? limit : window;
  return {
    target: subscription ?? { topic: topic ?? "", start },
    run: exec === undefined ? undefined : commandOf(exec === true ? rest : splitCommandLine(exec)),
    window: { records, bytes },
  };
}

/** What the server lets be outstanding when it is not told. */
const defaultWindow = 1000;

function commandOf([program, ...args]: readonly string[]): RecordCommand {
  if (program === undefined) throw refused("say the command after --exec, or behind --exec --");
  return { program, args };
}

function refused(why: string): CommandError {
  return new CommandError(`consume: ${why}`, 2);
}
