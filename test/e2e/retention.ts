import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { createClient, type MillraceClient } from "../../src/index.js";
import { sleep } from "../../src/streams/index.js";
import { createTestDatabase, type DatabaseKind, runOn, type TestDatabase } from "../support/database.js";
import { databaseArguments, startServerProcess } from "../support/server-process.js";

export interface RetentionRun {
  readonly kind: DatabaseKind;
  /** How many records the topic keeps. */
  readonly bound: number;
  /** How long it is published to at full speed, and then a topic without a bound too. */
  readonly forMs: number;
}

/** The measurements of a topic under load. */
interface Load {
  readonly publishedPerSecond: number;
  readonly followedPerSecond: number;
  /** The most records that it held, over all samples. */
  readonly keptMax: number;
}

export interface RetentionResult {
  readonly bounded: Load;
  readonly free: Load;
  /** Disk space of the table of records after the bounded run (on the embedded database: of everything). */
  readonly diskBytes: number;
}

const followers = 2;
const sampleMs = 50;
const text = "x".repeat(100);

/**
 * Publishes at full speed to a topic with a bound, then to one that keeps everything, with the same server, clients and
 * followers. Every follower sees every record, in order.
 */
export async function publishUnderRetention({ kind, bound, forMs }: RetentionRun): Promise<RetentionResult> {
  const database = await createTestDatabase(kind);
  const server = await startServerProcess([...databaseArguments(database.connection), "--listen", "127.0.0.1:0"]);
  const clients = Array.from({ length: 2 + followers }, () => createClient({ address: server.address }));
  try {
    const [millrace] = clients as [MillraceClient];
    await millrace.topics.create("warm-up");
    const aheadMax = bound * 0.8;
    await publishFor("warm-up", { forMs: Math.min(forMs, 1000), aheadMax }, clients);
    const created = await millrace.topics.create("bounded", { retention: { records: bound } });
    expect(created.retention).toEqual({ ageMs: 0, records: bound, bytes: 0 });
    const bounded = await publishFor("bounded", { forMs, aheadMax }, clients);
    const diskBytes = await diskBytesOf(database);
    await millrace.topics.create("free");
    const free = await publishFor("free", { forMs, aheadMax }, clients);
    // Publishing has ended. The few records above the bound are removed at the next check of all topics.
    const kept = async () => {
      const { earliestOffset, nextOffset } = await millrace.topics.get("bounded");
      return nextOffset - earliestOffset;
    };
    await expect.poll(kept, { timeout: 10_000, interval: 50 }).toBeLessThanOrEqual(bound * 1.03);
    return { bounded, free, diskBytes };
  } finally {
    for (const client of clients) client.close();
    await server.stop();
    await database.drop();
  }
}

interface Pace {
  readonly forMs: number;
  /** How far the publisher may run ahead of the slowest follower: a follower whose offset is removed would end. */
  readonly aheadMax: number;
}

async function publishFor(topic: string, { forMs, aheadMax }: Pace, clients: readonly MillraceClient[]): Promise<Load> {
  const [publishing, watching, ...following] = clients as [MillraceClient, MillraceClient, ...MillraceClient[]];
  const over = new AbortController();
  const followed = following.map(() => 0);
  const running = following.map(async (client, index) => {
    let next = 0;
    for await (const { records } of client.follow(topic, { start: "earliest", signal: over.signal }).pages()) {
      for (const record of records) {
        if (record.offset !== next) throw new Error(`A follower at ${next} was given ${record.offset}`);
        next += 1;
      }
      followed[index] = next;
    }
  });
  let failure: unknown;
  for (const each of running) {
    each.catch((error: unknown) => {
      if (!over.signal.aborted) failure ??= error;
    });
  }
  const throwFailure = () => {
    if (failure !== undefined) throw failure;
  };
  let keptMax = 0;
  let isPublishing = true;
  const sampling = (async () => {
    while (isPublishing) {
      const { earliestOffset, nextOffset } = await watching.topics.get(topic);
      keptMax = Math.max(keptMax, nextOffset - earliestOffset);
      await sleep(sampleMs);
    }
  })();
  const startMs = performance.now();
  const publisher = publishing.publisher(topic, { batchRecords: 500 });
  let published = 0;
  while (performance.now() - startMs < forMs) {
    while (failure === undefined && published - Math.min(...followed) > aheadMax) await sleep(1);
    throwFailure();
    for (let index = 0; index < 500; index += 1) {
      await publisher.ready();
      void publisher.publish({ text });
      published += 1;
    }
  }
  const followedMeanwhile = followed.reduce((sum, count) => sum + count, 0);
  await publisher.close();
  const seconds = (performance.now() - startMs) / 1000;
  isPublishing = false;
  await sampling;
  const arrived = () => failure !== undefined || followed.every((count) => count === published);
  await expect.poll(arrived, { timeout: 60_000, interval: 20 }).toBe(true);
  throwFailure();
  over.abort();
  await Promise.allSettled(running);
  return {
    publishedPerSecond: Math.round(published / seconds),
    followedPerSecond: Math.round(followedMeanwhile / (forMs / 1000)),
    keptMax,
  };
}

async function diskBytesOf({ connection }: TestDatabase): Promise<number> {
  if (connection.kind === "embedded") return folderBytes(join(connection.folder, "postgres", "base"));
  const { rows } = await runOn(connection.url, "select pg_total_relation_size('millrace.blocks')::float8 as bytes");
  return (rows as { readonly bytes: number }[])[0]?.bytes ?? 0;
}

async function folderBytes(folder: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(folder, { recursive: true })) {
    // Deleted rows take no space.
    bytes += await stat(join(folder, name)).then(
      ({ size }) => size,
      () => 0,
    );
  }
  return bytes;
}
