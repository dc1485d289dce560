import { expect, test } from "vitest";
import { openPostgres } from "../../src/store/postgres/database/open-postgres.js";
import { migrate } from "../../src/store/postgres/migrations/migrate.js";
import { migrations } from "../../src/store/postgres/migrations/migrations.js";
import { silentLogger } from "../../src/telemetry/index.js";
import { createTestDatabase, runOn } from "../support/database.js";
import { framesOf } from "../support/frames.js";

test("migration 4, gives existing tombstones the time of their deletion", async () => {
  const database = await createTestDatabase("postgres", "empty");
  const { url } = database.connection as { url: string };
  const opened = openPostgres({
    url,
    connections: 1,
    poolWaitMs: 10_000,
    connectTimeoutMs: 10_000,
    statementTimeoutMs: 10_000,
    idleInTransactionMs: 10_000,
    logger: silentLogger,
    metrics: undefined,
  });
  try {
    await migrate(opened, { list: migrations.slice(0, 3) });
    const times = [0, 1, 999_999, 1_763_723_251_123_456, 4_102_444_800_000_000];
    for (const [offset, time] of times.entries()) {
      const { bytes } = framesOf([0], offset, time);
      for (const isTombstone of [true, false]) {
        const values = `1, '${isTombstone ? "removed" : "kept"} ${offset}', ${2 * offset + Number(isTombstone)}`;
        const frame = `'\\x${bytes.toString("hex")}'`;
        await runOn(url, `insert into millrace.latest values (${values}, ${isTombstone}, ${frame})`);
      }
    }
    await migrate(opened);
    const select = `select key, removed_time::text from millrace.latest where removed_time is not null order by "offset"`;
    const { rows } = await runOn(url, select);
    expect(rows).toEqual(times.map((time, offset) => ({ key: `removed ${offset}`, removed_time: String(time) })));
  } finally {
    await opened.close();
    await database.drop();
  }
});
