/** How soon clients work again after their server was down, and whether they all return at once. */

import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import { createClient, type MillraceClient } from "../../src/index.js";
import { createTestDatabase } from "../support/database.js";
import { databaseArguments, startServerProcess } from "../support/server-process.js";

export interface ReturnRun {
  /** The number of clients of each kind: publisher, follower, watcher, consumer. */
  readonly each: number;
  readonly downMs: number;
}

export interface Return {
  /** When the last one worked again, after the server served again. */
  readonly lastMs: number;
  /** The largest number that returned within the same 100 ms. */
  readonly atOnce: number;
  readonly clients: number;
}

const topic = "returned/to";
const subscription = "returned-to";

/** Works with a client. Calls `begun` when its call has begun, or a record is acknowledged. */
type Begin = (millrace: MillraceClient, begun: () => void, signal: AbortSignal, pauseMs: number) => Promise<unknown>;

const kinds: Readonly<Record<string, Begin>> = {
  async publisher(millrace, begun, signal, pauseMs) {
    const publisher = millrace.publisher(topic);
    signal.addEventListener("abort", () => void publisher.close(signal).catch(() => undefined));
    while (!signal.aborted) {
      await publisher.publish({ key: "k", text: "one more" });
      begun();
      await delay(pauseMs, undefined, { signal });
    }
  },
  async follower(millrace, begun, signal) {
    const onEvent = ({ type }: { readonly type: string }) => type === "started" && begun();
    for await (const _record of millrace.follow(topic, { signal, onEvent })) if (signal.aborted) return;
  },
  async watcher(millrace, begun, signal) {
    const onEvent = ({ type }: { readonly type: string }) => type === "snapshot-end" && begun();
    for await (const _record of millrace.state.watch(topic, { signal, onEvent })) if (signal.aborted) return;
  },
  async consumer(millrace, begun, signal) {
    const onEvent = ({ type }: { readonly type: string }) => type === "started" && begun();
    await millrace.consume(subscription, { signal, onEvent }).forEach(() => undefined);
  },
};

/** Stops the server of working clients for `downMs`, and measures when they work again. All at default settings. */
export async function returnTo({ each, downMs }: ReturnRun): Promise<Return> {
  const database = await createTestDatabase("postgres");
  const args = [...databaseArguments(database.connection), "--log-level", "error"];
  let server = await startServerProcess(["--listen", "127.0.0.1:0", ...args]);
  const { address } = server;
  const over = new AbortController();
  const clients: MillraceClient[] = [];
  const works: Promise<unknown>[] = [];
  /** When each client began for the first time since its clock was set. */
  const begunAt = new Map<number, number>();
  try {
    const millrace = createClient({ address });
    clients.push(millrace);
    await millrace.topics.create(topic, { keyed: true });
    await millrace.subscriptions.create(subscription, { topic });
    for (let index = 0; index < each; index += 1) {
      for (const begin of Object.values(kinds)) {
        const client = createClient({ address });
        const number = clients.push(client);
        const begun = () => {
          if (!begunAt.has(number)) begunAt.set(number, performance.now());
        };
        // All of them together publish at the same rate, whatever their number.
        works.push(begin(client, begun, over.signal, 4 * each).catch((error: unknown) => error));
      }
    }
    const all = each * Object.keys(kinds).length;
    await expect.poll(() => begunAt.size, { timeout: 60_000 }).toBe(all);
    await server.stop("SIGKILL");
    await delay(downMs);
    // From here on only what begins after the outage counts.
    begunAt.clear();
    server = await startServerProcess(["--listen", address, ...args]);
    const servesAt = performance.now();
    await expect.poll(() => begunAt.size, { timeout: 60_000 }).toBe(all);
    const times = [...begunAt.values()].map((at) => at - servesAt).toSorted((a, b) => a - b);
    const result = { lastMs: Math.round(times.at(-1) ?? 0), atOnce: countWithin(times, 100), clients: all };
    console.log(`down for ${downMs} ms:`, result);
    return result;
  } finally {
    over.abort(new Error("enough"));
    await Promise.all(works);
    for (const client of clients) client.close();
    await server.stop("SIGKILL");
    await database.drop();
  }
}

/** The largest number of ascending times that are within `ms` of each other. */
function countWithin(times: readonly number[], ms: number): number {
  let most = 0;
  let first = 0;
  for (const [last, at] of times.entries()) {
    while (at - (times[first] ?? at) > ms) first += 1;
    most = Math.max(most, last - first + 1);
  }
  return most;
}
