/** Foreign servers, from the machine's PATH. */

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Bench } from "./bench.js";

/** A program's version text. Undefined when it is not on PATH. */
export function versionOf(program: string): string | undefined {
  const answer = spawnSync(program, ["--version"], { encoding: "utf8" });
  return answer.error === undefined ? answer.stdout.trim() : undefined;
}

/** The user that a program runs as. */
export interface Identity {
  readonly uid: number;
  readonly gid: number;
}

/** Starts a server, waits until its port answers, and stops it at the end of the row. */
export async function startProgram(
  bench: Bench,
  program: string,
  args: readonly string[],
  port: number,
  options: Partial<Identity> & { readonly stopSignal?: NodeJS.Signals } = {},
): Promise<void> {
  const { stopSignal = "SIGTERM", ...identity } = options;
  const child = spawn(program, args, {
    cwd: bench.folder,
    // In a process group of its own: Ctrl-C is for the harness, which stops everything in order.
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    ...identity,
  });
  const output: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output.push(text);
      if (output.length > 50) output.shift();
    });
  }
  const exited = once(child, "exit");
  bench.stops.add(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill(stopSignal);
    const timer = setTimeout(() => child.kill("SIGKILL"), 5000);
    await exited;
    clearTimeout(timer);
  });
  for (let attempt = 0; attempt < 200; attempt++) {
    if (child.exitCode !== null) break;
    if (await answers(port)) return;
    await sleep(50);
  }
  throw new Error(`${program} does not answer on port ${port}:\n${output.join("")}`);
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}
