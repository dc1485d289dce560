import type { Command } from "commander";
import { createClient, type MillraceClient } from "../client/index.js";
import { CommandError, type Output } from "./output.js";

/** What a command gets besides its arguments. */
export interface CommandContext {
  /** Standard input. */
  readonly input: AsyncIterable<Buffer>;
  readonly output: Output;
  /** Aborts when the user interrupts. */
  readonly signal: AbortSignal;
}

/** Options that all commands know. */
export interface GlobalOptions {
  readonly address: string;
  readonly json?: true;
}

/** Whether to print JSON: when told to, and when no person looks. */
export function wantsJson(command: Command, output: Output): boolean {
  return command.optsWithGlobals<GlobalOptions>().json === true || !output.isTerminal;
}

/** Runs work with a client that is closed afterwards. */
export async function withClient<T>(command: Command, work: (client: MillraceClient) => Promise<T>): Promise<T> {
  const client = createClient({ address: command.optsWithGlobals<GlobalOptions>().address });
  try {
    return await work(client);
  } finally {
    client.close();
  }
}

/** Fails at once when there is no server, for commands that would otherwise wait for one to come back. */
export async function checkReachable(client: MillraceClient, signal: AbortSignal): Promise<void> {
  await client.health("", { timeoutMs: 5000, signal });
}

/** A whole number of the command line. */
export function wholeNumberOption(name: string, least = 0): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (!Number.isSafeInteger(value) || value < least) {
      throw new CommandError(`${name}: must be a whole number from ${least}, got ${JSON.stringify(text)}`, 2);
    }
    return value;
  };
}

/** Names with commas between them. */
export function listOption(text: string): readonly string[] {
  const names = text.split(",").map((name) => name.trim());
  if (names.includes(""))
    throw new CommandError(`must be names with commas between them, got ${JSON.stringify(text)}`, 2);
  return names;
}
