import { createClient } from "../../src/index.js";
import { AcknowledgedLog, Transcript } from "../support/acknowledged-log.js";
import { createTestDatabase, type DatabaseKind, runOn } from "../support/database.js";
import { startPostgresServer } from "../support/postgres-server.js";
import { databaseArguments, startServerProcess } from "../support/server-process.js";
import { type Random, wholeNumberBetween } from "../support/soak.js";
import { expect } from "vitest";
import { killPostgres } from "./kill-postgres.js";
import { publishThrough } from "./publish-through.js";
import { publishUntilKilled } from "./publisher-process.js";

export interface Kills {
  readonly kills: number;
  /** How many records are acknowledged before, between and after the kills, at most. */
  readonly records: number;
  readonly random: Random;
}

const quiet = ["--log-level", "error"];

/** Kills the server with -9 several times, and restarts it on the same port and data. */
export async function killServers(kind: DatabaseKind, options: Kills): Promise<void> {
  const database = await createTestDatabase(kind);
  const args = [...quiet, ...databaseArguments(database.connection)];
  let server = await startServerProcess(["--listen", "127.0.0.1:0", ...args]);
  const { address } = server;
  try {
    const outcome = await publishThrough({
      address,
      stretches: stretchesOf(options),
      async disrupt() {
        expect(await server.stop("SIGKILL")).toBe("SIGKILL");
        server = await startServerProcess(["--listen", address, ...args]);
      },
    });
    expect(outcome.followerReconnections).toBeGreaterThanOrEqual(options.kills);
    console.log(`server on ${kind} killed ${options.kills} times:`, outcome);
  } finally {
    await server.stop();
    await database.drop();
  }
}

/** Kills Postgres with -9 under a running server, several times. It syncs to its disk, as by default. */
export async function killPostgresServers(options: Kills): Promise<void> {
  const postgres = await startPostgresServer();
  try {
    await runOn(postgres.url, "create database killed");
    const url = new URL(postgres.url);
    url.pathname = "/killed";
    const server = await startServerProcess(["--listen", "127.0.0.1:0", ...quiet, "--database-url", url.href]);
    const outcome = await publishThrough({
      address: server.address,
      stretches: stretchesOf(options),
      disrupt: () => killPostgres(postgres),
    });
    expect(await server.stop()).toBe(0);
    console.log(`Postgres killed ${options.kills} times:`, outcome);
  } finally {
    await postgres.remove();
  }
}

/** Kills a publishing process with -9 several times; its successors take over with a higher generation. */
export async function killPublishers(kind: DatabaseKind, { kills, records, random }: Kills): Promise<void> {
  const database = await createTestDatabase(kind);
  const args = [...quiet, ...databaseArguments(database.connection)];
  const server = await startServerProcess(["--listen", "127.0.0.1:0", ...args]);
  const { address } = server;
  const client = createClient({ address });
  const topic = "published-by-the-killed";
  try {
    const log = new AcknowledgedLog();
    for (let life = 0; life < kills; life += 1) {
      const acknowledged = await publishUntilKilled({
        address,
        topic,
        name: `life-${life}`,
        producerId: "killed",
        generation: life,
        batches: wholeNumberBetween(random, 1, Math.ceil(records / 50)),
      });
      for (const [offset, text] of acknowledged) log.add(offset, text);
    }
    const transcript = new Transcript();
    for await (const record of client.read(topic)) transcript.take(record);
    log.check(transcript);
    console.log(`publisher on ${kind} killed ${kills} times: ${log.size} acknowledged of ${transcript.nextOffset}`);
  } finally {
    client.close();
    await server.stop();
    await database.drop();
  }
}

function stretchesOf({ kills, records, random }: Kills): number[] {
  return Array.from({ length: kills + 1 }, () => wholeNumberBetween(random, records / 2, records));
}
