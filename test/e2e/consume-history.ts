import type { Sharing } from "../../src/core/index.js";
import { createTestDatabase, type DatabaseKind, runOn } from "../support/database.js";
import { type PostgresServer, startPostgresServer } from "../support/postgres-server.js";
import { databaseArguments, startServerProcess } from "../support/server-process.js";
import { openScene } from "./consume-scene.js";
import { startClientWorker } from "./consume-client-worker.js";
import { type Habits, startWorker } from "./consume-worker.js";
import { killPostgres } from "./kill-postgres.js";

export interface HistoryRun {
  readonly sharing: Sharing;
  readonly records: number;
  readonly seed: number;
  readonly serverKills: number;
  /** Kills of a Postgres of its own. */
  readonly postgresKills: number;
  /** Uses the client library instead of bare calls. */
  readonly isOverClient?: boolean;
}

/** The records of a killed server are free after this. Postgres is never away that long. */
const leaseMs = { short: 1500, long: 5000 };

const habits: Habits = {
  reject: 0.08,
  release: 0.05,
  extend: 0.03,
  forget: 0.002,
  window: 0.05,
  leave: 0.02,
  workMs: 20,
  windowRecords: 100,
};

/**
 * Four consumers work on one subscription, and fail and die at random, while the server and Postgres are killed with
 * -9. In the end every record is acknowledged, none is delivered after its confirmation, and each sharing keeps its
 * promises.
 */
export async function consumeThroughKills(kind: DatabaseKind, run: HistoryRun): Promise<void> {
  try {
    if (run.postgresKills === 0) {
      const database = await createTestDatabase(kind);
      try {
        await consume(run, databaseArguments(database.connection), undefined);
      } finally {
        await database.drop();
      }
      return;
    }
    const postgres = await startPostgresServer();
    try {
      await runOn(postgres.url, "create database consumed");
      const url = new URL(postgres.url);
      url.pathname = "/consumed";
      await consume(run, ["--database-url", url.href], postgres);
    } finally {
      await postgres.remove();
    }
  } catch (error) {
    throw new Error(
      `consumeThroughKills(${JSON.stringify(kind)}, ${JSON.stringify(run)}): ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  }
}

async function consume(
  { sharing, records, seed, serverKills, postgresKills, isOverClient = false }: HistoryRun,
  database: readonly string[],
  postgres: PostgresServer | undefined,
): Promise<void> {
  const started = performance.now();
  const lease = postgres === undefined ? leaseMs.short : leaseMs.long;
  const args = ["--log-level", "error", "--session-lease-ms", `${lease}`, ...database];
  let server = await startServerProcess(["--listen", "127.0.0.1:0", ...args]);
  const { address } = server;
  const scene = await openScene({
    sharing,
    records,
    seed,
    consumers: 4,
    habits,
    address,
    addressOf: () => address,
    isOneNode: true,
    start: isOverClient ? startClientWorker : startWorker,
    isOverClient,
  });
  try {
    const kills = [
      ...Array<"server">(serverKills).fill("server"),
      ...Array<"Postgres">(postgresKills).fill("Postgres"),
    ];
    const order = kills.toSorted(() => scene.random() - 0.5);
    const stages: string[] = [];
    const stage = (what: string) => stages.push(`${what} ${((performance.now() - started) / 1000).toFixed(1)} s`);
    for (const [index, what] of order.entries()) {
      await scene.reaches((records * (index + 0.5 + 0.5 * scene.random())) / (order.length + 1));
      scene.disrupted(`${what} killed`);
      stage(`${what} killed`);
      if (what === "server") {
        await server.stop("SIGKILL");
        await scene.lastWordsOf("server");
        server = await startServerProcess(["--listen", address, ...args]);
      } else if (postgres !== undefined) await killPostgres(postgres);
      scene.disrupted(`${what} back`);
      stage("back");
    }
    await scene.ends();
    stage("settled");
    console.log(`${sharing}, seed ${seed}: ${stages.join(", ")}:`, scene.history.counts);
  } finally {
    scene.close();
    await server.stop("SIGKILL");
  }
}
