/** Workers in processes of their own, which can be killed. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

export interface Workers {
  /** Kills one without notice, and starts another in its place. */
  killOne(): void;
  /** Lets all of them finish their outstanding records. */
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
