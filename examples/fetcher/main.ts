/**
 * Runs a bounded number of requests at once, each with a time limit and some retries. Results are printed in the order of the
 * requests, or as they arrive. A request that fails for good is a result like others, and the rest continues; with --fail-fast
 * the first failure cancels all, as Ctrl-C does.
 *
 * Pieces: fromReadable, fromWebStream, lines, buffered, bufferedUnordered, timeLimit, retry, first, fold, map, toWritable.
 *
 *     printf 'http://127.0.0.1:8080/late\nhttp://127.0.0.1:8080/a\nhttp://127.0.0.1:8080/broken\n' |
 *       make -s example NAME=fetcher ARGS="--at-once 8 --retries 2"
 *
 * It prints a line for each, in order; with --unordered, as they come. From the server of its test it prints:
 *
 *     http://127.0.0.1:8080/late  200, 5 bytes
 *     http://127.0.0.1:8080/a  200, 2 bytes
 *     http://127.0.0.1:8080/broken  failed: 503 Service Unavailable
 */

import { parseArgs } from "node:util";
import {
  buffered,
  bufferedUnordered,
  type CallContext,
  first,
  fold,
  fromReadable,
  fromWebStream,
  lines,
  map,
  pipe,
  retry,
  timeLimit,
  toWritable,
} from "millrace/streams";
import { wholeNumber } from "../whole-number.js";

const { values } = parseArgs({
  options: {
    "at-once": { type: "string", default: "8" },
    "limit-ms": { type: "string", default: "5000" },
    retries: { type: "string", default: "3" },
    unordered: { type: "boolean", default: false },
    "fail-fast": { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});

const atOnce = wholeNumber("at-once", values["at-once"], 1);
const limitMs = wholeNumber("limit-ms", values["limit-ms"], 1);
const maxRetries = wholeNumber("retries", values.retries);

type Outcome = { readonly url: string } & (
  | { readonly status: number; readonly bytes: number }
  | { readonly error: string }
);

/** One try. An answer is counted and not stored: it may be large. */
const request = timeLimit(limitMs, async (url: URL, { signal }): Promise<Outcome> => {
  const { status, statusText, body } = await fetch(url, { signal });
  if (status >= 500) {
    await body?.cancel();
    throw new Error(`${status} ${statusText}`);
  }
  const bytes = body === null ? 0 : await fold(fromWebStream(body), (sum, chunk) => sum + chunk.byteLength, 0, signal);
  return { url: url.href, status, bytes };
});

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // `fetch failed` alone explains nothing.
  return error.cause === undefined ? error.message : `${error.message}: ${messageOf(error.cause)}`;
}

/** One request and its retries. Every failure may pass, except an invalid URL. */
async function fetchOne(url: string, { signal }: CallContext): Promise<Outcome> {
  try {
    const target = new URL(url);
    const tries = retry<Outcome>(async (attempt) => [await request(target, attempt)], {
      maxRetries,
      minMs: 20,
      maxMs: 1000,
      signal,
    });
    return (await first(tries)) ?? { url, error: "no answer" };
  } catch (error) {
    if (values["fail-fast"]) throw new Error(`${url}  failed: ${messageOf(error)}`, { cause: error });
    return { url, error: messageOf(error) };
  }
}

function print(outcome: Outcome): string {
  if (values.json) return `${JSON.stringify(outcome)}\n`;
  return `${outcome.url}  ${"error" in outcome ? `failed: ${outcome.error}` : `${outcome.status}, ${outcome.bytes} bytes`}\n`;
}

const stopped = new AbortController();
process.once("SIGINT", () => stopped.abort(new Error("stopped")));
try {
  await pipe(
    fromReadable(process.stdin),
    lines,
    values.unordered ? bufferedUnordered(atOnce, fetchOne) : buffered(atOnce, fetchOne),
    map(print),
    toWritable(process.stdout, { end: false, signal: stopped.signal }),
  );
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = stopped.signal.aborted ? 130 : 1;
}
