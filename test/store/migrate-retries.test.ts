import { expect, test } from "vitest";
import { openPostgres } from "../../src/store/postgres/database/open-postgres.js";
import { migrate } from "../../src/store/postgres/migrations/migrate.js";
import { migrations } from "../../src/store/postgres/migrations/migrations.js";
import { silentLogger } from "../../src/telemetry/index.js";
import { createTestDatabase, runOn } from "../support/database.js";
import { waitingRecords } from "../support/waiting-records.js";

test("migration 8, keeps records that wait for redelivery", async () => {
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
    await migrate(opened, { list: migrations.slice(0, 7) });
    const columns = `subscription_id, "offset", claim_id, deliveries, failures, retry_time, lane, reasons, frame`;
    await runOn(
      url,
      `insert into millrace.retries (${columns}) values
        (1, 255, 7, 3, 2, 0, 9, '{first,second}', null),
        (1, 256, 7, 1, 0, 1, null, '{}', '\\x01'),
        (2, 300, 8, 1, 1, 0, null, '{}', null)`,
    );
    await migrate(opened);
    const store = await database.openStore();
    expect(await waitingRecords(store, 1, [7, 8])).toEqual([
      { claimId: 7, offset: 255, deliveries: 3, failures: 2, delayMs: 0, lane: 9 },
      { claimId: 7, offset: 256, deliveries: 1, failures: 0, delayMs: 0, lane: undefined },
    ]);
    const { rows } = await runOn(url, "select bucket::int, reasons, frame from millrace.retries order by 1, 2");
    expect(rows).toEqual([
      { bucket: 0, reasons: ["first", "second"], frame: null },
      { bucket: 1, reasons: [], frame: Buffer.of(1) },
      { bucket: 1, reasons: [], frame: null },
    ]);
  } finally {
    await opened.close();
    await database.drop();
  }
});
