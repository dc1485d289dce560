/** A real server as a real process, started as a user would start it, and killed for real. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { inject } from "vitest";
import type { StoreConnection } from "../../src/store/postgres/index.js";

export interface ServerProcess {
  /** HOST:PORT that it serves on. */
  readonly address: string;
  /** HOST:PORT of its metrics page, when it was started with one. */
  readonly metricsAddress: string | undefined;
  readonly process: ChildProcess;
  /** What it printed on standard output so far. */
  readonly lines: readonly string[];
  /** What it logged so far. */
  readonly log: readonly string[];
  /** Sends a signal and resolves with the exit code, or the signal that ended it. */
  stop(signal?: NodeJS.Signals): Promise<number | NodeJS.Signals>;
}

/** The arguments that put a server on this database. */
export function databaseArguments(connection: StoreConnection): string[] {
  return connection.kind === "embedded" ? ["--data", connection.folder] : ["--database-url", connection.url];
}

const running = new Set<ChildProcess>();
// A run that ends before its time leaves none behind, either.
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Kills every server that is left. For `afterEach`: a test that failed must not leave one behind. */
export async function killServerProcesses(): Promise<void> {
  await Promise.all(
    [...running].map(async (child) => {
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    }),
  );
}

/**
 * V8's optimizing compiler for WebAssembly takes 1.4 CPU seconds over PGlite, half of what a server on it costs, and repays
 * them after minutes. The baseline compiler's code does the same. The soaks have the minutes.
 */
const embeddedNodeArgs = process.env["SOAK"] === undefined ? ["--liftoff-only"] : [];

/** Starts `millrace serve` with these arguments and resolves once it serves. Rejects with its output when it ends first. */
export async function startServerProcess(
  args: readonly string[],
  options: {
    readonly environment?: Readonly<Record<string, string>>;
    readonly nodeArgs?: readonly string[];
    /** The command line to start it with. Default: the one that is tested. */
    readonly entry?: string;
  } = {},
): Promise<ServerProcess> {
  const environment: NodeJS.ProcessEnv = { ...process.env, ...options.environment };
  // Each test says where its data is; what the machine's environment says must not decide.
  if (options.environment?.["DATABASE_URL"] === undefined) delete environment["DATABASE_URL"];
  const nodeArgs = [...(args.includes("--data") ? embeddedNodeArgs : []), ...(options.nodeArgs ?? [])];
  const child = spawn(process.execPath, [...nodeArgs, options.entry ?? inject("cliEntry"), "serve", ...args], {
    env: environment,
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  child.once("exit", () => running.delete(child));
  const lines: string[] = [];
  const log: string[] = [];
  createInterface({ input: child.stderr }).on("line", (line) => log.push(line));
  const output = createInterface({ input: child.stdout });
  const exited = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
  const serving = new Promise<string>((resolve) => {
    output.on("line", (line) => {
      lines.push(line);
      const address = /^Millrace is serving on (\S+)$/.exec(line)?.[1];
      if (address !== undefined) resolve(address);
    });
  });
  const address = await Promise.race([
    serving,
    exited.then(([code]) => {
      throw new Error(`The server ended with ${code} before it served:\n${[...lines, ...log].join("\n")}`);
    }),
  ]);
  const metricsAddress = lines.map((line) => /^Metrics on http:\/\/([^/]+)\//.exec(line)?.[1]).find(Boolean);
  return {
    address,
    metricsAddress,
    process: child,
    lines,
    log,
    async stop(signal = "SIGTERM") {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      const [code, endSignal] = await exited;
      return code ?? endSignal ?? "SIGKILL";
    },
  };
}
