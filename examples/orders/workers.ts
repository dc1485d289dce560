/** Workers as processes of their own, to be killed. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

export interface Workers {
  /** Kills one as it is, and puts another in its place. */
  killOne(): void;
  /** Lets all of them finish what they have in hand. */
  stop(): Promise<void>;
}

export function startWorkers(count: number, args: readonly string[]): Workers {
  const start = (): ChildProcess =>
    spawn(process.execPath, [process.argv[1] ?? "", ...args], { stdio: ["ignore", "ignore", "inherit"] });
  const workers = Array.from({ length: count }, start);
  return {
    killOne() {
      workers.shift()?.kill("SIGKILL");
      workers.push(start());
    },
    async stop() {
      await Promise.all(
        workers.map(async (worker) => {
          const exited = once(worker, "exit");
          worker.kill("SIGTERM");
          await exited;
        }),
      );
    },
  };
}
