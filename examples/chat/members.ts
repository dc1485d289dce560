/** Members in processes of their own, with typed commands. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { forEach, fromReadable, lines, Watch } from "millrace/streams";

export interface Member {
  readonly name: string;
  /** What it has shown so far. */
  readonly shown: readonly string[];
  type(command: string): void;
  /** Resolves when it has shown a line with this end. */
  sees(end: string): Promise<void>;
  /** Ends its commands; resolves when it has left its rooms and ended. */
  end(): Promise<void>;
  kill(): void;
}

export function startMember(name: string, args: readonly string[]): Member {
  const child = spawn(process.execPath, [process.argv[1] ?? "", ...args], { stdio: ["pipe", "pipe", "inherit"] });
  const exited = once(child, "exit");
  // A command to a member that has failed: `sees` and `end` report that.
  child.stdin.on("error", () => undefined);
  const shown: string[] = [];
  const changes = new Watch<void>(undefined);
  const reading = forEach(lines(fromReadable(child.stdout)), (line) => {
    shown.push(line);
    changes.set();
  }).finally(() => changes.close());
  return {
    name,
    shown,
    type: (command) => void child.stdin.write(`${command}\n`),
    async sees(end) {
      for (;;) {
        const { version } = changes;
        if (shown.some((line) => line.endsWith(end))) return;
        if ((await changes.changed(version)) === "closed") throw new Error(`${name} has ended, and not seen "${end}"`);
      }
    },
    async end() {
      child.stdin.end();
      const [code, signal] = (await exited) as [number | null, NodeJS.Signals | null];
      if (code !== 0) throw new Error(`${name} ended with ${code ?? signal}`);
      await reading;
    },
    kill: () => child.kill(),
  };
}
