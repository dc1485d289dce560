/**
 * Runs each measured or measuring program in its own process: a client under load must not share a heap, a compiler or
 * an event loop with another. Each file in `subjects/` exports `open(config)`; this side starts it and sends it rounds.
 */

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { type Bench, profileArgs } from "./bench.js";

/** The result of a subject's `open`. */
export interface Subject<Input, Output, Info = undefined> {
  readonly info: Info;
  round(input: Input): Promise<Output>;
  close(): Promise<void>;
}

/** A module of `subjects/`. */
export interface SubjectModule {
  open(config: never): Promise<Subject<never, unknown, unknown>>;
}

type Opened<Module extends SubjectModule> = Awaited<ReturnType<Module["open"]>>;

export interface SubjectProcess<Module extends SubjectModule> {
  readonly info: Opened<Module>["info"];
  readonly process: ChildProcess;
  /** Runs one round. One at a time. */
  round(input: Parameters<Opened<Module>["round"]>[0]): ReturnType<Opened<Module>["round"]>;
  /** Ends it. A second call does nothing. */
  stop(): Promise<void>;
}

export type Order =
  | { readonly kind: "open"; readonly module: string; readonly config: unknown }
  | { readonly kind: "round"; readonly input: unknown }
  | { readonly kind: "close" };

export type Answer = { readonly result: unknown } | { readonly failure: string };

const runner = fileURLToPath(new URL("./run-subject.js", import.meta.url));

/**
 * Starts a file of `subjects/`, and stops it at the end of the row if it still runs. `profileAs` names its CPU profile.
 */
export async function startSubject<Module extends SubjectModule>(
  bench: Bench,
  name: string,
  config: Parameters<Module["open"]>[0],
  options: { readonly profileAs?: string; readonly nodeArgs?: readonly string[] } = {},
): Promise<SubjectProcess<Module>> {
  const child = fork(runner, [], {
    execArgv: [
      ...(options.nodeArgs ?? []),
      ...(options.profileAs === undefined ? [] : profileArgs(bench, options.profileAs)),
    ],
    env: { ...process.env, TMPDIR: bench.folder },
    // In a process group of its own: Ctrl-C is for the harness, which stops everything in order.
    detached: true,
    serialization: "advanced",
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const exited = once(child, "exit");
  const ask = async (order: Order): Promise<unknown> => {
    const answered = once(child, "message") as Promise<[Answer]>;
    child.send(order);
    const [answer] = await Promise.race([
      answered,
      exited.then(([code]): never => {
        throw new Error(`The subject ${name} ended with ${code}`);
      }),
    ]);
    if ("failure" in answer) throw new Error(`The subject ${name} failed:\n${answer.failure}`);
    return answer.result;
  };
  let stopping: Promise<void> | undefined;
  const stop = async () => {
    if (child.exitCode === null && child.connected) await ask({ kind: "close" }).catch(() => child.kill("SIGKILL"));
    if (child.connected) child.disconnect();
    await exited;
  };
  const stopOnce = () => (stopping ??= stop());
  bench.stops.add(stopOnce);
  const info = (await ask({ kind: "open", module: name, config })) as Opened<Module>["info"];
  return {
    info,
    process: child,
    round: (input) => ask({ kind: "round", input }) as ReturnType<Opened<Module>["round"]>,
    stop: stopOnce,
  };
}
