/**
 * Analyses a directory of log files: some files at once, as many lines a second as it may, errors picked out, everything
 * counted. A line that is none is counted and passed over, a file that cannot be read is reported; neither ends it.
 *
 * Pieces: linesOfFile, throttle, settle, tryMap, forEach, bufferedUnordered, withSignal, fold, toWritable.
 *
 *     make example NAME=log-files ARGS="--sample /tmp/logs"       # writes 12 files of 5000 lines
 *     make example NAME=log-files ARGS="/tmp/logs --files 4"
 *
 * The second prints:
 *
 *     12 files, 60000 lines, 600 of them broken
 *     levels: {"CRITICAL":4308,"DEBUG":4308,"ERROR":4327,"INFO":42127,"WARNING":4330}
 *     errors: {"app":2875,"db":2880,"web":2880}
 *     most frequent error: request # took # ms, 8635 times
 */

import { createWriteStream } from "node:fs";
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import {
  bufferedUnordered,
  type CallContext,
  fold,
  forEach,
  linesOfFile,
  map,
  pipe,
  range,
  settle,
  throttle,
  toWritable,
  tryMap,
  withSignal,
} from "millrace/streams";
import { isError, kindOf, parseLine, sampleLines } from "./log-line.js";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    files: { type: "string", default: "4" },
    rate: { type: "string", default: "1000000" },
    sample: { type: "string" },
    json: { type: "boolean", default: false },
  },
});

/** What one file holds. */
interface Counts {
  readonly path: string;
  lines: number;
  broken: number;
  /** How many lines of each level, and how many errors of each source and kind. */
  readonly levels: Map<string, number>;
  readonly sources: Map<string, number>;
  readonly kinds: Map<string, number>;
  /** Why it could not be read to its end. */
  failure?: string;
}

function increment(counts: Map<string, number>, name: string, by = 1): void {
  counts.set(name, (counts.get(name) ?? 0) + by);
}

function sortedByName(counts: Map<string, number>): Record<string, number> {
  return Object.fromEntries([...counts].toSorted(([a], [b]) => a.localeCompare(b)));
}

const linesPerSecond = Number(values.rate) / Number(values.files);

/** Counts one file, a line at a time: nothing of it is held. */
async function analyse(path: string, { signal }: CallContext): Promise<Counts> {
  const counts: Counts = { path, lines: 0, broken: 0, levels: new Map(), sources: new Map(), kinds: new Map() };
  await pipe(
    linesOfFile(path),
    throttle({ items: Math.ceil(linesPerSecond / 10), perMs: 100 }),
    settle(),
    tryMap((text) => {
      counts.lines += 1;
      return parseLine(text);
    }),
    forEach((result) => {
      if (!result.ok) {
        // Of one line, unless the file itself failed.
        if (result.error instanceof Error && "code" in result.error) counts.failure = result.error.message;
        else counts.broken += 1;
        return;
      }
      increment(counts.levels, result.value.level);
      if (!isError(result.value)) return;
      increment(counts.sources, result.value.source);
      increment(counts.kinds, kindOf(result.value));
    }, signal),
  );
  return counts;
}

async function analyseAll(folder: string): Promise<void> {
  const stopped = new AbortController();
  process.once("SIGINT", () => stopped.abort(new Error("stopped")));
  const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith(".log"));
  const total = await pipe(
    names.toSorted(),
    map((name) => join(folder, name)),
    bufferedUnordered(Number(values.files), analyse),
    withSignal(stopped.signal),
    fold<Counts, Counts & { files: number }>(
      (sum, file) => {
        if (file.failure !== undefined) process.stderr.write(`${file.path}: ${file.failure}\n`);
        sum.files += 1;
        sum.lines += file.lines;
        sum.broken += file.broken;
        for (const [name, count] of file.levels) increment(sum.levels, name, count);
        for (const [name, count] of file.sources) increment(sum.sources, name, count);
        for (const [name, count] of file.kinds) increment(sum.kinds, name, count);
        return sum;
      },
      { path: folder, files: 0, lines: 0, broken: 0, levels: new Map(), sources: new Map(), kinds: new Map() },
    ),
  );
  const levels = sortedByName(total.levels);
  const sources = sortedByName(total.sources);
  const [kind, times] = [...total.kinds].toSorted(([, a], [, b]) => b - a)[0] ?? ["none", 0];
  process.stdout.write(
    values.json
      ? `${JSON.stringify({ files: total.files, lines: total.lines, broken: total.broken, levels, sources, kind, times })}\n`
      : `${total.files} files, ${total.lines} lines, ${total.broken} of them broken\n` +
          `levels: ${JSON.stringify(levels)}\nerrors: ${JSON.stringify(sources)}\n` +
          `most frequent error: ${kind}, ${times} times\n`,
  );
}

async function writeSample(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await forEach(range(0, 12), async (file) => {
    const lines = map(sampleLines(file, 5000), (line) => `${line}\n`);
    await toWritable(lines, createWriteStream(join(folder, `${String(file).padStart(2, "0")}.log`)));
  });
}

const [folder] = positionals;
if (values.sample !== undefined) {
  await writeSample(values.sample);
} else if (folder !== undefined) {
  await analyseAll(folder);
} else {
  process.stderr.write("It takes the directory to analyse, or --sample DIRECTORY\n");
  process.exitCode = 2;
}
