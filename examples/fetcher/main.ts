/**
 * Requests, so many at once and no more, each with a time limit and some retries: in the order in which they were asked
 * for, or as they come. Ctrl-C cancels those under way.
 *
 * Pieces: fromReadable, lines, buffered, bufferedUnordered, timeLimit, retry, first, withSignal, forEach.
 *
 *     printf 'http://127.0.0.1:8080/a\nhttp://127.0.0.1:8080/b\n' | make -s example NAME=fetcher ARGS="--at-once 8"
 *
 * It prints a line for each, in order; with --unordered, as they come:
 *
 *     http://127.0.0.1:8080/a  200, 20 bytes
 *     http://127.0.0.1:8080/b  200, 20 bytes
 */

import { parseArgs } from "node:util";
import {
  buffered,
  bufferedUnordered,
  type CallContext,
  first,
  forEach,
  fromReadable,
  lines,
  pipe,
  retry,
  timeLimit,
  withSignal,
} from "millrace/streams";

const { values } = parseArgs({
  options: {
    "at-once": { type: "string", default: "8" },
    "limit-ms": { type: "string", default: "5000" },
    retries: { type: "string", default: "3" },
    unordered: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});

type Outcome = { readonly url: string } & (
  | { readonly status: number; readonly bytes: number }
  | { readonly error: string }
);

/** A failure that another try may heal. */
class ServerError extends Error {}

const request = timeLimit(Number(values["limit-ms"]), async (url: string, { signal }): Promise<Outcome> => {
  const response = await fetch(url, { signal });
  const body = await response.arrayBuffer();
  if (response.status >= 500) throw new ServerError(`${response.status} ${response.statusText}`);
  return { url, status: response.status, bytes: body.byteLength };
});

/** One request and its retries. It never throws: a failure is an outcome, and the others go on. */
async function fetchOne(url: string, context: CallContext): Promise<Outcome> {
  const tries = retry(async () => [await request(url, context)], {
    maxRetries: Number(values.retries),
    minMs: 20,
    maxMs: 1000,
    isRetryable: (error) => error instanceof ServerError,
    signal: context.signal,
  });
  try {
    return (await first(tries)) ?? { url, error: "no answer" };
  } catch (error) {
    return { url, error: error instanceof Error ? error.message : String(error) };
  }
}

const stopped = new AbortController();
process.once("SIGINT", () => stopped.abort(new Error("stopped")));
const atOnce = Number(values["at-once"]);
try {
  await pipe(
    fromReadable(process.stdin),
    lines,
    values.unordered ? bufferedUnordered(atOnce, fetchOne) : buffered(atOnce, fetchOne),
    withSignal(stopped.signal),
    forEach((outcome) => {
      const text = "error" in outcome ? `failed: ${outcome.error}` : `${outcome.status}, ${outcome.bytes} bytes`;
      process.stdout.write(values.json ? `${JSON.stringify(outcome)}\n` : `${outcome.url}  ${text}\n`);
    }),
  );
} catch (error) {
  if (!stopped.signal.aborted) throw error;
  process.exitCode = 130;
}
