/** Watchers in processes of their own, each of which prints a line of JSON whenever it looks at the quotes. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { from, fromReadable, lines, type Stream } from "millrace/streams";
import type { Quotes } from "./quote.js";

export interface Watcher {
  readonly name: string;
  /** What it sees. The first look shows the existing quotes; from then on it is watching. */
  readonly looks: Stream<Quotes>;
  kill(): void;
}

export function startWatcher(name: string, args: readonly string[]): Watcher {
  const child = spawn(process.execPath, [process.argv[1] ?? "", ...args], { stdio: ["ignore", "pipe", "inherit"] });
  return { name, looks: from(looksOf(name, child, child.stdout)), kill: () => child.kill() };
}

async function* looksOf(name: string, child: ChildProcess, output: Readable) {
  const exited = once(child, "exit");
  for await (const line of lines(fromReadable(output))) yield JSON.parse(line) as Quotes;
  const [code, signal] = (await exited) as [number | null, NodeJS.Signals | null];
  if (code !== 0) throw new Error(`The watcher ${name} ended with ${code ?? signal}`);
}
