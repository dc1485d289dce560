import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Position, Rectangle } from "../../src/index.js";

/**
 * Watches a rectangle. After each page it writes its position and its state to a file, which replaces the old file at
 * once. It begins with the content of that file.
 */
const script = `
import { existsSync, readFileSync, renameSync, writeFileSync, writeSync } from "node:fs";
const [door, address, topic, rectangle, file] = process.argv.slice(1);
const { createClient } = await import(door);
const kept = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : { texts: [] };
const texts = new Map(kept.texts);
const onEvent = (event) => {
  if (event.type === "left") for (const key of event.keys) texts.delete(key);
  if (event.type === "reset") texts.clear();
};
const client = createClient({ address });
const options = { rectangle: JSON.parse(rectangle), start: kept.start, onEvent };
for await (const { records, next } of client.state.watch(topic, options).pages()) {
  for (const { key, text } of records) {
    if (text === undefined) texts.delete(key);
    else texts.set(key, text);
  }
  writeFileSync(file + ".new", JSON.stringify({ start: next, texts: [...texts] }));
  renameSync(file + ".new", file);
  writeSync(1, "page\\n");
}
client.close();
writeFileSync(file, JSON.stringify({ texts: [...texts] }));`;

const door = new URL("../../dist/index.js", import.meta.url).href;

/** The content of the file. */
export interface KeptState {
  /** Unset: nothing was stored yet, or the topic has ended. */
  readonly start?: Position;
  readonly texts: readonly (readonly [key: string, text: string])[];
}

export interface WatchingLife {
  readonly address: string;
  readonly topic: string;
  readonly rectangle: Rectangle;
  readonly file: string;
  /** It is killed once it has reported this number of pages. Undefined: it watches to the end of the topic. */
  readonly pages: number | undefined;
}

/** Lets a process watch until it is killed with -9, or the topic ends. */
export async function watchUntilKilled(life: WatchingLife): Promise<void> {
  const { address, topic, rectangle, file, pages } = life;
  const args = [door, address, topic, JSON.stringify(rectangle), file];
  const child = spawn(process.execPath, ["--input-type=module", "-e", script, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const closed = once(child, "close");
  let kept = 0;
  createInterface({ input: child.stdout }).on("line", () => {
    kept += 1;
    if (kept === pages) child.kill("SIGKILL");
  });
  const [code, signal] = (await closed) as [number | null, NodeJS.Signals | null];
  const expected = pages === undefined ? code === 0 : signal === "SIGKILL";
  if (!expected) throw new Error(`The watcher ended with ${code ?? signal}`);
}
