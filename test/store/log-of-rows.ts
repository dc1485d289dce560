/**
 * The log before migration 9, with a row for each record: written as that version wrote it, and compared with blocks.
 */

import { randomFillSync } from "node:crypto";
import { sql } from "kysely";
import { expect } from "vitest";
import { AppendRequest } from "../../src/gen/millrace/v1/record_service.js";
import type { Database } from "../../src/store/postgres/database/database.js";
import { openEmbedded } from "../../src/store/postgres/database/open-embedded.js";
import { openPostgres } from "../../src/store/postgres/database/open-postgres.js";
import type { StoreConnection } from "../../src/store/postgres/index.js";
import { prepareStatement } from "../../src/store/postgres/statement.js";
import { silentLogger } from "../../src/telemetry/index.js";
import { stampBatches, splitRequest } from "../../src/wire/index.js";

/** The expected log of a topic after the migration. */
export interface ExpectedLog {
  readonly topicId: number;
  readonly earliestOffset: number;
  readonly earliestBytes: number;
  /** The frames of the records from `earliestOffset` on. */
  readonly frames: readonly Buffer[];
  readonly times: readonly number[];
}

export async function openDatabase(connection: StoreConnection): Promise<Database> {
  const shared = {
    poolWaitMs: 10_000,
    statementTimeoutMs: 10_000,
    idleInTransactionMs: 10_000,
    logger: silentLogger,
    metrics: undefined,
  };
  return connection.kind === "embedded"
    ? openEmbedded({ ...shared, folder: connection.folder, template: undefined })
    : openPostgres({ ...shared, url: connection.url, connections: 2, connectTimeoutMs: 10_000 });
}

/** The append of version 8, word for word, except for the producers. */
export const appendOfVersion8 = prepareStatement({
  name: "append_records",
  values: {
    topicId: "bigint",
    expectedNext: "bigint",
    count: "bigint",
    baseBytes: "bigint",
    time: "bigint",
    frames: "bytea",
    starts: "int[]",
    lengths: "int[]",
  },
  build: (value) => sql<{ appended: boolean }>`
with head as (
  update millrace.topic_heads as h
  set next_offset = h.next_offset + ${value.count},
      next_bytes = ${value.baseBytes} + octet_length(${value.frames}),
      last_time = ${value.time}, expiring = h.expiring or false
  where h.topic_id = ${value.topicId} and h.next_offset = ${value.expectedNext}
    and h.version = 0 and h.epoch = 1 and not h.closed
  returning h.topic_id
), written as (
  insert into millrace.records (topic_id, "offset", end_bytes, frame)
  select head.topic_id, ${value.expectedNext} + slice.position - 1, ${value.baseBytes} + slice.start + slice.length,
    substring(${value.frames} from slice.start + 1 for slice.length)
  from head, unnest(${value.starts}, ${value.lengths}) with ordinality as slice (start, length, position)
)
select exists (select from head) as appended`,
});

/** Appends a batch of records with random data of these sizes. Throws errors of the database. */
export async function appendRows(
  database: Database,
  topicId: number,
  sizes: readonly number[],
  at: { readonly offset: number; readonly bytes: number; readonly time: number },
): Promise<Buffer[]> {
  const records = sizes.map((size) => ({
    key: "",
    attributes: new Map<string, string>(),
    body: { $case: "data" as const, value: randomFillSync(new Uint8Array(size)) },
    location: undefined,
    lifetime: undefined,
    eventTime: undefined,
    time: undefined,
    offset: undefined,
  }));
  const limits = { recordBytes: 2 ** 30, batchBytes: 2 ** 30, batchRecords: 2 ** 30 };
  const request = { topic: "t", records, expectedOffset: undefined, producer: undefined, epoch: 0 };
  const { batch } = splitRequest(AppendRequest.encode(request).finish(), limits);
  const { bytes, ends } = stampBatches([batch], at.offset, at.time);
  const frames = [...ends].map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
  const lengths = frames.map((frame) => frame.length);
  const [row] = await database.run(appendOfVersion8, {
    topicId,
    expectedNext: at.offset,
    count: sizes.length,
    baseBytes: at.bytes,
    time: at.time,
    frames: bytes,
    starts: `{${lengths.map((length, index) => (ends[index] as number) - length).join(",")}}`,
    lengths: `{${lengths.join(",")}}`,
  });
  expect(row?.appended).toBe(true);
  return frames;
}

export interface LogPlan {
  readonly topicId: number;
  /** The sizes of the records in each batch. */
  readonly batches: readonly (readonly number[])[];
  /** Records below it are trimmed. */
  readonly earliest?: number;
  /** Trimmed records below it are deleted; the others wait for their deletion. */
  readonly deleted?: number;
}

/** Writes a topic's log into a database of version 8. Each batch has another time. */
export async function writeLog(database: Database, plan: LogPlan): Promise<ExpectedLog> {
  const { topicId, earliest = 0, deleted = earliest } = plan;
  await run(database, `insert into millrace.topic_heads (topic_id, epoch) values (${topicId}, 1)`);
  const frames: Buffer[] = [];
  const times: number[] = [];
  let bytes = 0;
  let time = 1_763_723_251_123_456;
  for (const sizes of plan.batches) {
    const added = await appendRows(database, topicId, sizes, { offset: frames.length, bytes, time });
    for (const frame of added) {
      frames.push(frame);
      times.push(time);
      bytes += frame.length;
    }
    time += 1_234_567;
  }
  const earliestBytes = frames.slice(0, earliest).reduce((sum, frame) => sum + frame.length, 0);
  if (earliest > 0) {
    await run(
      database,
      `update millrace.topic_heads set earliest_offset = ${earliest}, earliest_bytes = ${earliestBytes}
      where topic_id = ${topicId}`,
    );
    await run(database, `delete from millrace.records where topic_id = ${topicId} and "offset" < ${deleted}`);
  }
  if (deleted < earliest) {
    await run(database, `insert into millrace.removals values (${topicId}, ${deleted}, ${earliest}, false)`);
  }
  return {
    topicId,
    earliestOffset: earliest,
    earliestBytes,
    frames: frames.slice(earliest),
    times: times.slice(earliest),
  };
}

interface BlockRow {
  readonly topic_id: number;
  readonly first_offset: number;
  readonly next_offset: number;
  readonly end_bytes: number;
  readonly last_time: number;
  readonly frames: Buffer;
}

const blockBytesMax = 20_480;

/** Compares the blocks and heads of all topics with these logs. Returns how many blocks had room for the next frame. */
export async function expectBlocks(database: Database, logs: readonly ExpectedLog[]): Promise<number> {
  const topics = await run<{ topic_id: number }>(
    database,
    "select distinct topic_id from millrace.blocks order by topic_id",
  );
  expect(topics.map((row) => row.topic_id)).toEqual(
    logs.filter((log) => log.frames.length > 0).map((log) => log.topicId),
  );
  const heads = await run(
    database,
    `select topic_id, front, earliest_offset, earliest_bytes, merged_to from millrace.topic_heads
    where merged_to > 0 order by topic_id`,
  );
  expect(heads).toEqual(
    logs
      .filter((log) => log.earliestOffset + log.frames.length > 0)
      .map((log) => ({
        topic_id: log.topicId,
        front: log.earliestOffset,
        earliest_offset: log.earliestOffset,
        earliest_bytes: log.earliestBytes,
        merged_to: log.earliestOffset + log.frames.length,
      })),
  );
  let short = 0;
  for (const log of logs) short += await expectBlocksOf(database, log);
  return short;
}

async function expectBlocksOf(database: Database, log: ExpectedLog): Promise<number> {
  let next = log.earliestOffset;
  let bytes = log.earliestBytes;
  let short = 0;
  for (;;) {
    const blocks = await run<BlockRow>(
      database,
      `select * from millrace.blocks where topic_id = ${log.topicId} and first_offset >= ${next}
      order by first_offset limit 1000`,
    );
    if (blocks.length === 0) break;
    for (const { frames: stored, ...numbers } of blocks) {
      const last = numbers.next_offset - log.earliestOffset;
      const frames = Buffer.concat(log.frames.slice(next - log.earliestOffset, last));
      bytes += frames.length;
      expect(numbers).toEqual({
        topic_id: log.topicId,
        producers: null,
        first_offset: next,
        next_offset: numbers.next_offset,
        end_bytes: bytes,
        last_time: log.times[last - 1],
      });
      expect(stored.equals(frames)).toBe(true);
      if (numbers.next_offset - next > 1) expect(frames.length).toBeLessThanOrEqual(blockBytesMax);
      if (frames.length + (log.frames[last]?.length ?? blockBytesMax) <= blockBytesMax) short += 1;
      next = numbers.next_offset;
    }
  }
  expect(next).toBe(log.earliestOffset + log.frames.length);
  return short;
}

/** Runs one statement given as text. */
export async function run<Row>(database: Database, text: string): Promise<readonly Row[]> {
  const { rows } = await database.withConnection((connection) => connection.command(text));
  return rows as Row[];
}
