import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { type Bench, profileArgs } from "../harness/bench.js";

/** A real server process, started as a user starts it. */
export interface MillraceServer {
  /** The HOST:PORT that it serves on. */
  readonly address: string;
  readonly process: ChildProcess;
  /** Drains and ends it. A second call does nothing. */
  stop(): Promise<void>;
}

export interface MillraceServerOptions {
  /** Flags of `millrace serve`. */
  readonly args: readonly string[];
  /** The name of its CPU profile, taken if profiles are wanted. */
  readonly profileAs?: string;
  readonly nodeArgs?: readonly string[];
}

export async function startMillraceServer(bench: Bench, options: MillraceServerOptions): Promise<MillraceServer> {
  const profile = options.profileAs === undefined ? [] : profileArgs(bench, options.profileAs);
  const child = fork(
    bench.settings.serverEntry,
    ["serve", "--listen", "127.0.0.1:0", "--log-level", "warn", ...options.args],
    {
      execArgv: [...(options.nodeArgs ?? []), ...profile],
      env: withoutDatabase(process.env),
      // In a process group of its own: Ctrl-C is for the harness, which stops everything in order.
      detached: true,
      stdio: ["ignore", "pipe", "inherit", "ipc"],
    },
  );
  const exited = once(child, "exit");
  let stopping: Promise<void> | undefined;
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), 15_000);
    await exited;
    clearTimeout(timer);
  };
  const stopOnce = () => (stopping ??= stop());
  bench.stops.add(stopOnce);
  const serving = new Promise<string>((resolve) => {
    if (child.stdout === null) return;
    createInterface({ input: child.stdout }).on("line", (line) => {
      const address = /^Millrace is serving on (\S+)$/.exec(line)?.[1];
      if (address !== undefined) resolve(address);
    });
  });
  const address = await Promise.race([
    serving,
    exited.then(([code]): never => {
      throw new Error(`The Millrace server ended with ${code} before it served`);
    }),
  ]);
  return { address, process: child, stop: stopOnce };
}

/** Removes settings of the database from the environment: the run chooses the database. */
function withoutDatabase(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(environment).filter(([name]) => name !== "DATABASE_URL" && !name.startsWith("MILLRACE_")),
  );
}
