import { createClient, type MillraceClient } from "../client/index.js";
import { CommandError, type Output } from "./output.js";

/** What a command receives besides its arguments. */
export interface CommandContext {
  /** Standard input. */
  readonly input: AsyncIterable<Buffer>;
  readonly output: Output;
  /** Aborts when the user interrupts. */
  readonly signal: AbortSignal;
  /** The options of all commands. They are known once the command line is parsed. */
  readonly globalOptions: () => GlobalOptions;
}

/** Options of all commands. */
export interface GlobalOptions {
  readonly address: string;
  readonly json?: true;
}

/** Whether to print JSON: with --json, or when standard output is not a terminal. */
export function wantsJson({ output, globalOptions }: CommandContext): boolean {
  return globalOptions().json === true || !output.isTerminal;
}

/** Runs work with a client that is closed afterwards. */
export async function withClient<T>(
  { globalOptions }: CommandContext,
  work: (client: MillraceClient) => Promise<T>,
): Promise<T> {
  const client = createClient({ address: globalOptions().address });
  try {
    return await work(client);
  } finally {
    client.close();
  }
}

/** Fails at once when there is no server, for commands that would otherwise wait for one. */
export async function checkReachable(client: MillraceClient, signal: AbortSignal): Promise<void> {
  await client.health("", { timeoutMs: 5000, signal });
}

/** Reads a whole number from the command line. */
export function wholeNumberOption(name: string, min = 0): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (!Number.isSafeInteger(value) || value < min) {
      throw new CommandError(`${name}: must be a whole number from ${min}, got ${JSON.stringify(text)}`, 2);
    }
    return value;
  };
}

/** Reads names separated by commas. */
export function listOption(name: string): (text: string) => readonly string[] {
  return (text) => {
    const names = text.split(",").map((each) => each.trim());
    if (!names.includes("")) return names;
    throw new CommandError(`${name}: must be names separated by commas, got ${JSON.stringify(text)}`, 2);
  };
}
