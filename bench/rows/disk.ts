/** The disk space of a record, and its bytes in Postgres' write-ahead log. */

import pg from "pg";
import type { Bench } from "../harness/bench.js";
import { jsonBody } from "../harness/json-bodies.js";
import { atMost, type Line, type RowResult } from "../harness/result.js";
import { startMillraceServer } from "../peers/millrace-server.js";
import { createClient } from "../../src/client/index.js";

interface Way {
  readonly name: string;
  readonly records: number;
  /** Records in each commit. */
  readonly commitRecords: number;
}

interface Taken {
  readonly diskBytes: number;
  readonly walBytes: number;
}

/** Each way has its own database. Records that were published one by one are merged before the measurement. */
export async function disk(bench: Bench): Promise<RowResult> {
  const { publishRecords, bodyBytes } = bench.settings;
  const ways: readonly Way[] = [
    { name: "in bulk, 500 a commit", records: publishRecords, commitRecords: 500 },
    { name: "100 a commit", records: publishRecords, commitRecords: 100 },
    { name: "50 a commit", records: publishRecords, commitRecords: 50 },
    { name: "one by one, merged", records: Math.ceil(publishRecords / 5), commitRecords: 1 },
  ];
  const lines: Line[] = [];
  const goals = [];
  for (const way of ways) {
    bench.progress(way.name);
    const { diskBytes, walBytes } = await take(bench, way);
    const [onDisk, wal] = [diskBytes / way.records, walBytes / way.records];
    lines.push({
      subject: way.name,
      role: "ours",
      values: [onDisk],
      unit: "B/record",
      note: `${wal.toFixed(0)} B of WAL`,
    });
    goals.push(atMost(`on disk, ${way.name}`, onDisk, 100, "B"));
    if (way.commitRecords >= 100) goals.push(atMost(`WAL, ${way.name}`, wal, 100, "B"));
  }
  return {
    title: `disk space of a JSON record of ${bodyBytes} B on Postgres, indexes included`,
    lines,
    goals,
    notes: [],
  };
}

async function take(bench: Bench, way: Way): Promise<Taken> {
  const databaseUrl = await bench.createDatabase();
  const server = await startMillraceServer(bench, { args: ["--database-url", databaseUrl] });
  const database = new pg.Client({ connectionString: databaseUrl });
  await database.connect();
  const client = createClient({ address: server.address });
  try {
    const number = async (text: string) => Number((await database.query<{ n: string }>(text)).rows[0]?.n);
    const wal = () => number("select pg_current_wal_lsn() - '0/0'::pg_lsn as n");
    await client.topics.create("disk");
    const before = await wal();
    for (let at = 0; at < way.records; at += way.commitRecords) {
      const records = Array.from({ length: way.commitRecords }, (_, index) => ({
        data: jsonBody(at + index, bench.settings.bodyBytes),
      }));
      await client.append("disk", records);
    }
    const after = await wal();
    await merged(() => number("select count(*) as n from millrace.blocks"), way);
    await database.query("vacuum full millrace.blocks");
    const diskBytes = await number("select pg_total_relation_size('millrace.blocks') as n");
    return { diskBytes, walBytes: after - before };
  } finally {
    client.close();
    await database.end();
    await server.stop();
  }
}

/** Waits until no more blocks can be merged. */
async function merged(countBlocks: () => Promise<number>, { records, commitRecords }: Way): Promise<void> {
  if (commitRecords > 1) return;
  const deadlineMs = performance.now() + 120_000;
  for (let blocks = Infinity; blocks > records / 20; blocks = await countBlocks()) {
    if (performance.now() > deadlineMs) throw new Error(`${blocks} blocks are left of ${records} records`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
