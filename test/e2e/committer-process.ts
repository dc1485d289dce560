import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { built } from "../support/built.js";

/**
 * Reads numbers, and commits each with its output: the number itself, to a topic of its kind. Reports each commit at
 * once. It rethrows a commit that failed or whose outcome is unknown, as users of the client are advised to.
 */
const script = `
import { writeSync } from "node:fs";
const [door, address, subscription, outputs] = process.argv.slice(1);
const { createClient } = await import(door);
const client = createClient({ address });
const options = { window: { records: 40 }, backoff: { minMs: 20, maxMs: 500 } };
await client.consume(subscription, options).forEach(async (delivery) => {
  const { text } = delivery.record;
  const records = [{ key: String(delivery.offset), text }];
  await delivery.commit([{ topic: outputs + (Number(text) % 2 === 0 ? "/even" : "/odd"), records }]);
  writeSync(1, "committed\\n");
}, { concurrency: 8 });`;

const door = new URL(`file://${built}/index.js`).href;

export interface CommitterProcess {
  /** The number of reported commits. */
  readonly commits: number;
  kill(): Promise<void>;
}

/** Starts a process that consumes and commits until it is killed. */
export function startCommitter(life: {
  readonly address: string;
  readonly subscription: string;
  /** A prefix of its topics' names. */
  readonly outputs: string;
  /** Called if it ends by itself. */
  readonly onFailure: (error: unknown) => void;
}): CommitterProcess {
  const { address, subscription, outputs, onFailure } = life;
  const args = ["--input-type=module", "-e", script, door, address, subscription, outputs];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  const closed = once(child, "close");
  let commits = 0;
  let isKilled = false;
  const errors: string[] = [];
  createInterface({ input: child.stdout }).on("line", () => (commits += 1));
  createInterface({ input: child.stderr }).on("line", (line) => errors.push(line));
  void closed.then(([code, signal]) => {
    if (!isKilled) onFailure(new Error(`A committer ended by itself, with ${code ?? signal}:\n${errors.join("\n")}`));
  });
  return {
    get commits() {
      return commits;
    },
    async kill() {
      isKilled = true;
      child.kill("SIGKILL");
      await closed;
    },
  };
}
