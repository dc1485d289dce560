/**
 * Analyses the log files in a directory and below it: a bounded number of files at once, and of lines a second over all of
 * them. It counts lines by level and source, and names the most frequent errors. An invalid line is counted and skipped; an
 * unreadable file is reported, and the rest continues. Memory depends neither on the files nor on their number. Ctrl-C
 * reports what was counted until then.
 *
 * Pieces: from, flatMap, merge, linesOfFile, mapError, settle, tryMap, throttle, forEach, toWritable.
 *
 *     make example NAME=log-files ARGS="--sample /tmp/logs"       # writes 12 files of 5000 lines
 *     make example NAME=log-files ARGS="/tmp/logs --files 4 --rate 1000000"
 *
 * The second prints:
 *
 *     12 files, 0 of them unreadable; 60000 lines, 600 of them broken
 *                    app       db      web
 *         DEBUG        0        0        0
 *          INFO    16409    16410    16407
 *       WARNING     2734     2735     2734
 *         ERROR      638      637      639
 *      CRITICAL       19       18       20
 *        639 × web: GET /orders/# #
 *        638 × app: payment # refused
 *        637 × db: connection # lost
 */

import { parseArgs } from "node:util";
import {
  flatMap,
  forEach,
  from,
  linesOfFile,
  mapError,
  merge,
  pipe,
  type Result,
  settle,
  type Source,
  type Stream,
  throttle,
  toWritable,
  tryMap,
} from "millrace/streams";
import { wholeNumber } from "../whole-number.js";
import { Findings } from "./counts.js";
import { findLogs } from "./find-logs.js";
import { type LogLine, NotALogLine, parseLine } from "./log-line.js";
import { writeSample } from "./write-sample.js";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    files: { type: "string", default: "4" },
    rate: { type: "string", default: "1000000" },
    top: { type: "string", default: "3" },
    sample: { type: "string" },
    json: { type: "boolean", default: false },
  },
});

const fileCount = wholeNumber("files", values.files, 1);
const rate = wholeNumber("rate", values.rate, 1);
const topErrors = wholeNumber("top", values.top);

function report(what: string, error: unknown): void {
  process.stderr.write(`${what}: ${error instanceof Error ? error.message : String(error)}\n`);
}

/**
 * The lines of one file as results: an invalid line is a failure, and so is the failure of the file, as the last one.
 */
function readLog(path: string): Stream<Result<LogLine>> {
  return pipe(
    linesOfFile(path),
    mapError((cause) => new Error(path, { cause })),
    settle(),
    tryMap(parseLine),
  );
}

/** Lets several readers share one list: each takes the next path when it has finished a file. */
function shared<T>(source: Source<T>): AsyncIterable<T> {
  const items = from(source);
  return { [Symbol.asyncIterator]: () => ({ next: () => items.next() }) };
}

async function analyse(folder: string, findings: Findings, signal: AbortSignal): Promise<void> {
  const paths = shared(
    findLogs(folder, (path, error) => {
      findings.files += 1;
      findings.failures += 1;
      report(path, error);
    }),
  );
  const read = (path: string) => {
    findings.files += 1;
    return readLog(path);
  };
  await pipe(
    merge(Array.from({ length: fileCount }, () => flatMap(paths, read))),
    throttle({ items: rate, perMs: 1000, burst: Math.ceil(rate / 100) }),
    forEach((result) => {
      if (result.ok || result.error instanceof NotALogLine) findings.lines += 1;
      if (result.ok) findings.add(result.value);
      else if (result.error instanceof NotALogLine) findings.broken += 1;
      else {
        findings.failures += 1;
        const { message, cause } = result.error as Error;
        report(message, cause);
      }
    }, signal),
  );
}

const [folder] = positionals;
if (values.sample !== undefined) {
  await writeSample(values.sample);
} else if (folder !== undefined) {
  const stopped = new AbortController();
  process.once("SIGINT", () => stopped.abort(new Error("stopped")));
  const findings = new Findings();
  try {
    await analyse(folder, findings, stopped.signal);
    if (findings.lines === 0 && findings.failures > 0) process.exitCode = 1;
  } catch (error) {
    if (!stopped.signal.aborted) throw error;
    process.exitCode = 130;
  }
  const output = values.json ? [`${JSON.stringify(findings)}\n`] : findings.table(topErrors);
  // The reader of the output may have left.
  await toWritable(output, process.stdout, { end: false }).catch((error) => report("standard output", error));
} else {
  process.stderr.write("It takes the directory to analyse, or --sample DIRECTORY\n");
  process.exitCode = 2;
}
