import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** Batches of this many records. */
const batchRecords = 50;

/**
 * Publishes batches with the names of `batchOf`, ten at a time outstanding, while it lives. Reports each acknowledged
 * batch and its offset at once: the reports survive its death.
 */
const script = `
import { writeSync } from "node:fs";
const [door, address, topic, name, producerId, generation, size] = process.argv.slice(1);
const { createClient } = await import(door);
const client = createClient({ address });
const options = { producerId, generation: Number(generation), batchRecords: Number(size) };
const publisher = client.publisher(topic, options);
const waiting = [];
for (let batch = 0; ; batch += 1) {
  const texts = Array.from({ length: options.batchRecords }, (_, index) => [name, batch, index, size, ""].join(" "));
  const acknowledged = Promise.all(texts.map((text) => publisher.publish({ text })));
  waiting.push(acknowledged.then(([{ offset }]) => writeSync(1, batch + " " + offset + "\\n")));
  if (waiting.length >= 10) await waiting.shift();
}`;

const door = new URL("../../dist/index.js", import.meta.url).href;

export interface PublishingLife {
  readonly address: string;
  readonly topic: string;
  /** In its records. */
  readonly name: string;
  readonly producerId: string;
  readonly generation: number;
  /** It is killed once it has reported this number of batches. */
  readonly batches: number;
}

/** Lets a process publish until it is killed with -9. Returns each acknowledged record: its offset and its text. */
export async function publishUntilKilled(life: PublishingLife): Promise<ReadonlyMap<number, string>> {
  const { address, topic, name, producerId, generation, batches } = life;
  const args = [door, address, topic, name, producerId, generation, batchRecords].map(String);
  const child = spawn(process.execPath, ["--input-type=module", "-e", script, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const closed = once(child, "close");
  const acknowledged = new Map<number, string>();
  let lines = 0;
  createInterface({ input: child.stdout }).on("line", (line) => {
    const [batch = 0, offset = 0] = line.split(" ").map(Number);
    for (let index = 0; index < batchRecords; index += 1) {
      acknowledged.set(offset + index, [name, batch, index, batchRecords, ""].join(" "));
    }
    lines += 1;
    if (lines === batches) child.kill("SIGKILL");
  });
  const [code, signal] = (await closed) as [number | null, NodeJS.Signals | null];
  if (signal !== "SIGKILL") throw new Error(`The publisher ended by itself, with ${code ?? signal}`);
  return acknowledged;
}
