import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { pipe, range, map, toWritable } from "millrace/streams";

/** The messages of each program, from fine to fatal. */
const messages = {
  app: ["order # taken", "payment # slow", "payment # refused", "out of memory at # MiB"],
  db: ["# rows written", "query took # ms", "connection # lost", "disk # is full"],
  web: ["GET /orders/# 200", "GET /orders/# 429", "GET /orders/# 500", "no upstream for # s"],
} as const;
const levels = ["INFO", "WARNING", "ERROR", "CRITICAL"] as const;

/** A folder for each program, with four files of 5000 lines, always the same; every hundredth line is broken. */
export async function writeSample(folder: string): Promise<void> {
  for (const [index, program] of (["app", "db", "web"] as const).entries()) {
    await mkdir(join(folder, program), { recursive: true });
    for (let file = 0; file < 4; file += 1) {
      await pipe(
        range(0, 5000),
        map((number) => `${sampleLine(program, number * (index + 2) + file, number)}\n`),
        toWritable(createWriteStream(join(folder, program, `${file}.log`))),
      );
    }
  }
}

function sampleLine(program: keyof typeof messages, seed: number, number: number): string {
  const time = new Date(Date.UTC(2026, 5, 1, 0, 0, number)).toISOString();
  // One in 7 is a warning, one in 31 an error, one in 1009 worse.
  const severity = seed % 1009 === 0 ? 3 : seed % 31 === 0 ? 2 : seed % 7 === 0 ? 1 : 0;
  if (number % 100 === 99) return `${time} ${levels[severity]}`;
  return `${time} ${levels[severity]} ${program} ${messages[program][severity].replace("#", `${seed % 900}`)}`;
}
