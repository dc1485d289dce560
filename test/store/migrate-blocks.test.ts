import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Database } from "../../src/store/postgres/database/database.js";
import { migrate } from "../../src/store/postgres/migrations/migrate.js";
import { migrations } from "../../src/store/postgres/migrations/migrations.js";
import { createTestDatabase, databaseKinds, type TestDatabase } from "../support/database.js";
import { seededRandom, wholeNumberBetween } from "../support/soak.js";
import { type ExpectedLog, expectBlocks, openDatabase, run, writeLog } from "./log-of-rows.js";

const random = seededRandom(9);
const sizes = (count: number, least: number, most: number) =>
  Array.from({ length: count }, () => wholeNumberBetween(random, least, most));

const version8 = migrations.slice(0, 8);
const version9 = migrations.slice(0, 9);

describe.each(databaseKinds)("migration 9 on %s", (kind) => {
  let database: TestDatabase;
  let opened: Database;
  beforeEach(async () => {
    database = await createTestDatabase(kind);
    opened = await openDatabase(database.connection);
    await migrate(opened, { list: version8 });
  });
  afterEach(async () => {
    await opened.close();
    await database.drop();
  });

  test("copies each log from its earliest offset on, frame by frame", async () => {
    // A frame has at least 30 bytes around its data.
    const around = [...sizes(20, 20_430, 20_460), ...sizes(10, 10_190, 10_230)];
    const logs: ExpectedLog[] = [
      await writeLog(opened, { topicId: 1, batches: [sizes(3000, 0, 900), sizes(2000, 0, 90)], earliest: 777 }),
      await writeLog(opened, { topicId: 2, batches: [sizes(300, 0, 900)], earliest: 200, deleted: 100 }),
      await writeLog(opened, { topicId: 3, batches: [sizes(100, 0, 90)], earliest: 100 }),
      await writeLog(opened, { topicId: 4, batches: [sizes(100, 0, 90)], earliest: 100, deleted: 50 }),
      await writeLog(opened, { topicId: 5, batches: [] }),
      await writeLog(opened, { topicId: 6, batches: [around, sizes(20, 0, 60_000), [1_000_000, 1, 1_000_000]] }),
    ];
    await run(
      opened,
      "insert into millrace.topic_heads (topic_id, epoch) select topic_id, 1 from generate_series(1000, 3499) as topic_id",
    );
    logs.push(await writeLog(opened, { topicId: 4000, batches: [[1], [2], [3]] }));
    expect(await migrate(opened, { list: version9 })).toEqual(["log-as-blocks"]);
    await expectBlocks(opened, logs);
  });
});
