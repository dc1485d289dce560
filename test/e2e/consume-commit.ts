import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import type { Sharing } from "../../src/core/index.js";
import { createClient } from "../../src/index.js";
import { runOn } from "../support/database.js";
import { startPostgresServer } from "../support/postgres-server.js";
import { startServerProcess } from "../support/server-process.js";
import { seededRandom, wholeNumberBetween } from "../support/soak.js";
import { type CommitterProcess, startCommitter } from "./committer-process.js";
import { sharingOf } from "./consume-scene.js";
import { killPostgres } from "./kill-postgres.js";
import { quickBackoff } from "./publish-through.js";
import { SubscriptionControl } from "./subscription-control.js";

export interface CommitRun {
  readonly sharing: Sharing;
  readonly seed: number;
  /** How often each of them is killed. */
  readonly kills: { readonly client: number; readonly server: number; readonly postgres: number };
  /** The largest number of records committed between two kills. */
  readonly records: number;
}

const topics = { input: "commit/input", outputs: "commit/output" } as const;
const subscription = "committing";

/** If nothing is committed for this time, it is stuck. */
const patienceMs = 15_000;

/**
 * Two processes read numbers and commit each together with a copy of it, while they, the server and Postgres are killed
 * with -9. In the end each number exists once, so the sums agree.
 */
export async function commitThroughKills(run: CommitRun): Promise<void> {
  const postgres = await startPostgresServer();
  try {
    await runOn(postgres.url, "create database committed");
    const url = new URL(postgres.url);
    url.pathname = "/committed";
    await commit(run, url.href, () => killPostgres(postgres));
  } catch (error) {
    throw new Error(`commitThroughKills(${JSON.stringify(run)}): ${(error as Error).message}`, { cause: error });
  } finally {
    await postgres.remove();
  }
}

async function commit(
  { sharing, seed, kills, records }: CommitRun,
  databaseUrl: string,
  killDatabase: () => Promise<void>,
): Promise<void> {
  const startedMs = performance.now();
  const random = seededRandom(seed);
  const args = ["--log-level", "error", "--session-lease-ms", "5000", "--database-url", databaseUrl];
  let server = await startServerProcess(["--listen", "127.0.0.1:0", ...args]);
  const { address } = server;
  const millrace = createClient({ address });
  const control = new SubscriptionControl(address);
  const failure = new AbortController();
  let earlierCommits = 0;
  const start = () => startCommitter({ address, subscription, ...topics, onFailure: (error) => failure.abort(error) });
  const committers: CommitterProcess[] = [];
  const commits = () => committers.reduce((sum, committer) => sum + committer.commits, earlierCommits);
  try {
    const order = [
      ...Array<"client">(kills.client).fill("client"),
      ...Array<"server">(kills.server).fill("server"),
      ...Array<"postgres">(kills.postgres).fill("postgres"),
    ]
      .map((what) => ({ what, place: random() }))
      .toSorted((left, right) => left.place - right.place);
    const numbers = Array.from({ length: (order.length + 1) * records }, () =>
      wholeNumberBetween(random, 1, 1_000_000),
    );
    const publisher = millrace.publisher(topics.input, { backoff: quickBackoff });
    await publisher.publishAll(numbers.map((number) => ({ key: `key-${number % 100}`, text: `${number}` })));
    await publisher.close();
    for (const kind of ["even", "odd"]) await millrace.topics.create(`${topics.outputs}/${kind}`);
    await control.create({
      subscription,
      topic: topics.input,
      sharing: sharingOf[sharing],
      attemptsMax: 1000,
      retryMin: { seconds: 0, nanos: 10_000_000 },
      retryMax: { seconds: 0, nanos: 200_000_000 },
      ackDeadline: { seconds: 5, nanos: 0 },
    });
    // An exclusive subscription can have only one at a time.
    for (let index = 0; index < (sharing === "exclusive" ? 1 : 2); index++) committers.push(start());
    for (const { what } of order) {
      const before = commits();
      const goal = wholeNumberBetween(random, 1, records / 2);
      const sinceMs = performance.now();
      while (commits() < before + goal) {
        failure.signal.throwIfAborted();
        if (performance.now() - sinceMs > patienceMs) throw new Error(`Stuck at ${commits()} commits, before ${what}`);
        await delay(5);
      }
      switch (what) {
        case "client": {
          const index = wholeNumberBetween(random, 0, committers.length - 1);
          await committers[index]?.kill();
          earlierCommits += committers[index]?.commits ?? 0;
          committers[index] = start();
          break;
        }
        case "server":
          await server.stop("SIGKILL");
          server = await startServerProcess(["--listen", address, ...args]);
          break;
        case "postgres":
          await killDatabase();
          break;
        default:
          what satisfies never;
      }
    }
    let lag = Number.POSITIVE_INFINITY;
    for (let movedMs = performance.now(); lag > 0; ) {
      failure.signal.throwIfAborted();
      const { lagRecords, parkedRecords, cursor } = await control.describe(subscription);
      expect(parkedRecords).toBe(0);
      if (lagRecords !== lag) movedMs = performance.now();
      lag = lagRecords;
      if (performance.now() - movedMs > patienceMs) throw new Error(`Stuck at ${JSON.stringify({ lag, cursor })}`);
      if (lag > 0) await delay(50);
    }
    // A running write would be seen here too: nobody works any more.
    for (const committer of committers) await committer.kill();
    const seen = new Map<number, string>();
    let sum = 0;
    for (const kind of ["even", "odd"]) {
      for await (const { key, text = "" } of millrace.read(`${topics.outputs}/${kind}`)) {
        const other = seen.get(Number(key));
        if (other !== undefined) throw new Error(`Record ${key} was committed twice: ${other}, ${text}`);
        expect(text).toBe(`${numbers[Number(key)]}`);
        expect(Number(text) % 2 === 0).toBe(kind === "even");
        seen.set(Number(key), text);
        sum += Number(text);
      }
    }
    expect(seen.size).toBe(numbers.length);
    expect(sum).toBe(numbers.reduce((total, number) => total + number, 0));
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    console.log(`${sharing}, seed ${seed}: ${order.length} kills, ${numbers.length} commits, sum ${sum}, ${seconds} s`);
  } finally {
    await Promise.all(committers.map((committer) => committer.kill()));
    control.close();
    millrace.close();
    await server.stop("SIGKILL");
  }
}
