import pg from "pg";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { StoreUnavailableError } from "../../src/store/index.js";
import type { Database } from "../../src/store/postgres/database/database.js";
import { type MigrationProgress, migrate, SchemaMismatchError } from "../../src/store/postgres/migrations/migrate.js";
import type { Migration } from "../../src/store/postgres/migrations/migration.js";
import { migrations } from "../../src/store/postgres/migrations/migrations.js";
import { createTestDatabase, databaseKinds, runOn, type TestDatabase } from "../support/database.js";
import { seededRandom, wholeNumberBetween } from "../support/soak.js";
import { appendRows, type ExpectedLog, expectBlocks, openDatabase, run, writeLog } from "./log-of-rows.js";

const random = seededRandom(9);
const sizes = (count: number, least: number, most: number) =>
  Array.from({ length: count }, () => wholeNumberBetween(random, least, most));

const version8 = migrations.slice(0, 8);
const version9 = migrations.slice(0, 9);

describe.each(databaseKinds)("log-as-blocks on %s", (kind) => {
  let database: TestDatabase;
  let opened: Database;
  beforeEach(async () => {
    database = await createTestDatabase(kind, "empty");
    opened = await openDatabase(database.connection);
    await migrate(opened, { list: version8 });
  });
  afterEach(async () => {
    await opened.close();
    await database.drop();
  });

  test("copies each log from its earliest offset on, frame by frame", async () => {
    // A frame has about thirty bytes around its data.
    const aroundOneBlock = [...sizes(20, 20_430, 20_460), ...sizes(10, 10_190, 10_230)];
    const logs: ExpectedLog[] = [
      await writeLog(opened, { topicId: 1, batches: [sizes(3000, 0, 900), sizes(2000, 0, 90)], earliest: 777 }),
      await writeLog(opened, { topicId: 2, batches: [sizes(300, 0, 900)], earliest: 200, deleted: 100 }),
      await writeLog(opened, { topicId: 3, batches: [sizes(100, 0, 90)], earliest: 100 }),
      await writeLog(opened, { topicId: 4, batches: [sizes(100, 0, 90)], earliest: 100, deleted: 50 }),
      await writeLog(opened, { topicId: 5, batches: [] }),
      await writeLog(opened, {
        topicId: 6,
        batches: [aroundOneBlock, sizes(20, 0, 60_000), [1_000_000, 1, 1_000_000]],
      }),
    ];
    // A topic without records has its bytes in `earliest_bytes` alone.
    await run(opened, "update millrace.topic_heads set earliest_bytes = 0 where topic_id = 4");
    // More topics than one step reads.
    await run(
      opened,
      "insert into millrace.topic_heads (topic_id, epoch) select topic_id, 1 from generate_series(1000, 3499) as topic_id",
    );
    logs.push(await writeLog(opened, { topicId: 4000, batches: [[1], [2], [3]] }));
    // Deleted topics, with and without records.
    await writeLog(opened, { topicId: 4001, batches: [sizes(10, 0, 90)] });
    await run(opened, "delete from millrace.topic_heads where topic_id = 4001");
    await run(opened, "insert into millrace.removals values (4001, 3, 10, true), (4002, 7, 7, true)");

    expect(await migrate(opened, { list: version9 })).toEqual(["log-as-blocks"]);
    expect(await expectBlocks(opened, logs)).toBe(0);
    expect(await run(opened, "select * from millrace.removals order by topic_id")).toEqual([
      { topic_id: 4001, from_offset: 10, to_offset: 10, whole_topic: true },
      { topic_id: 4002, from_offset: 7, to_offset: 7, whole_topic: true },
    ]);
    expect(await run(opened, "select * from millrace.topic_heads where topic_id = 5")).toEqual([
      expect.objectContaining({ earliest_offset: 0, earliest_bytes: 0, front: 0, merged_to: 0 }),
    ]);
    expect(await migrate(opened, { list: version9 })).toEqual([]);
  });
});

describe("log-as-blocks on postgres, in steps", () => {
  let database: TestDatabase;
  let url: string;
  let opened: Database;
  let blocker: pg.Client;
  let logs: ExpectedLog[];
  /** After 20,000 and after 40,000 records. Each of these steps leaves a block with room. */
  const stepsWithinTopic = 2;

  beforeEach(async () => {
    database = await createTestDatabase("postgres", "empty");
    url = (database.connection as { url: string }).url;
    opened = await openDatabase(database.connection);
    blocker = new pg.Client({ connectionString: url });
    await blocker.connect();
    await migrate(opened, { list: version8 });
    logs = [
      await writeLog(opened, { topicId: 3, batches: [sizes(30_000, 0, 9), sizes(17_000, 0, 9)], earliest: 1234 }),
      await writeLog(opened, { topicId: 5, batches: [sizes(10, 1, 9)] }),
      await writeLog(opened, { topicId: 8, batches: [sizes(6, 900_000, 999_999), sizes(14, 900_000, 999_999)] }),
      await writeLog(opened, { topicId: 9, batches: [sizes(300, 1, 9)], earliest: 300, deleted: 7 }),
    ];
  });
  afterEach(async () => {
    await blocker.end();
    await opened.close();
    await database.drop();
  });

  /** Migrates until it waits for a lock of this SQL, and terminates its backend there. */
  async function killWhereItWaits(lock: string): Promise<void> {
    await blocker.query("begin");
    await blocker.query(lock);
    const outcome = migrate(opened, { list: version9 }).catch((error: unknown) => error);
    const waiting = `datname = current_database() and application_name = 'millrace' and wait_event_type = 'Lock'`;
    await expect
      .poll(async () => (await runOn(url, `select from pg_stat_activity where ${waiting}`)).rows)
      .toHaveLength(1);
    await runOn(url, `select pg_terminate_backend(pid, 5000) from pg_stat_activity where ${waiting}`);
    expect(await outcome).toBeInstanceOf(StoreUnavailableError);
    await blocker.query("rollback");
  }

  /** Stops like a process that ends after the first statements. */
  async function migrateToFirstStep(): Promise<void> {
    const last = version9.at(-1) as Migration;
    const failing: Migration = { ...last, steps: { step: "select 1 / 0", last: [] } };
    await expect(migrate(opened, { list: [...version8, failing] })).rejects.toThrow("division by zero");
  }

  const blockCount = async () => {
    const [row] = await run<{ count: number }>(opened, "select count(*) from millrace.blocks");
    return row?.count;
  };

  test("continues where it was killed", async () => {
    // In the first statements: nothing has changed, and the version before keeps working.
    await killWhereItWaits("lock table millrace.removals in share mode");
    const topic5 = logs[1] as ExpectedLog;
    const bytes = topic5.frames.reduce((sum, frame) => sum + frame.length, 0);
    const at = { offset: 10, bytes, time: 1_800_000_000_000_000 };
    const added = await appendRows(opened, 5, [7], at);
    logs[1] = { ...topic5, frames: [...topic5.frames, ...added], times: [...topic5.times, at.time] };

    // Before the first step, and in it.
    await migrateToFirstStep();
    await killWhereItWaits("select from millrace.migration_progress for update");
    expect(await blockCount()).toBe(0);

    // Between two steps.
    const done: number[] = [];
    const onProgress = (progress: MigrationProgress) => {
      done.push(progress.done);
      if (done.length === 2) throw new Error("killed");
    };
    await expect(migrate(opened, { list: version9, onProgress })).rejects.toThrow("killed");
    expect(done).toEqual([20_000, 40_000]);

    // In a later step, and in the last statements.
    await killWhereItWaits("lock table millrace.blocks in share mode");
    await killWhereItWaits("select from millrace.single_records limit 1");

    expect(await migrate(opened, { list: version9 })).toEqual(["log-as-blocks"]);
    expect(await expectBlocks(opened, logs)).toBe(stepsWithinTopic);
  });

  test("runs once when two nodes start it at once", async () => {
    const other = await openDatabase(database.connection);
    try {
      const done: number[] = [];
      const options = { list: version9, onProgress: (progress: MigrationProgress) => void done.push(progress.done) };
      const finished = await Promise.all([migrate(opened, options), migrate(other, options)]);
      expect(finished.flat()).toEqual(["log-as-blocks"]);
      const total = 47_000 - 1234 + 10 + 20;
      const steps = [...new Set(done)].sort((one, two) => one - two);
      expect(steps).toEqual([20_000, 40_000, expect.any(Number), total]);
      expect(await expectBlocks(opened, logs)).toBe(stepsWithinTopic);
    } finally {
      await other.close();
    }
  });

  test("a node of the version before it fails from the first statements on, and cannot restart", async () => {
    const old = await openDatabase(database.connection);
    try {
      const bytes = (logs[1] as ExpectedLog).frames.reduce((sum, frame) => sum + frame.length, 0);
      // Prepares the statement, as a running node has done.
      const added = await appendRows(old, 5, [7], { offset: 10, bytes, time: 1_800_000_000_000_000 });
      await migrateToFirstStep();
      const next = { offset: 11, bytes: bytes + (added[0] as Buffer).length, time: 1_800_000_000_000_000 };
      await expect(appendRows(old, 5, [7], next)).rejects.toThrow("does not exist");
      await expect(run(old, "select from millrace.records")).rejects.toThrow("does not exist");
      await expect(run(old, "delete from millrace.topic_heads returning next_offset")).rejects.toThrow(
        "does not exist",
      );
      await expect(migrate(old, { list: version8 })).rejects.toThrow(SchemaMismatchError);
      await migrate(opened, { list: version9 });
      await expect(appendRows(old, 5, [7], next)).rejects.toThrow("does not exist");
    } finally {
      await old.close();
    }
  });

  test("stops at a missing record, and keeps the rows", async () => {
    await run(opened, `delete from millrace.records where topic_id = 3 and "offset" = 30000`);
    await expect(migrate(opened, { list: version9 })).rejects.toThrow("no_record_is_missing");
    expect(await run(opened, "select topic_id, next_offset from millrace.migration_progress")).toEqual([
      { topic_id: 3, next_offset: 21_234 },
    ]);
  });

  test("keeps the rows of a topic that was deleted by other means", async () => {
    await migrateToFirstStep();
    await run(opened, "delete from millrace.topic_heads where topic_id = 8");
    await expect(migrate(opened, { list: version9 })).rejects.toThrow("no_record_is_left");
    expect(await run(opened, "select count(*) from millrace.single_records where topic_id = 8")).toEqual([
      { count: 20 },
    ]);
  });

  test("stops before the next transaction when its signal aborts", async () => {
    const controller = new AbortController();
    const options = {
      list: version9,
      onProgress: () => controller.abort(new Error("stop")),
      signal: controller.signal,
    };
    await expect(migrate(opened, options)).rejects.toThrow("stop");
    const [progress] = await run(opened, "select done from millrace.migration_progress");
    expect(progress).toEqual({ done: 20_000 });
  });
});
