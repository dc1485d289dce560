import pg from "pg";
import { expect, test } from "vitest";
import { createDatabaseLanes } from "../../../src/engine/database-lanes.js";
import { createHeldSnapshots } from "../../../src/engine/upkeep/held-snapshots.js";
import { defaultLimits } from "../../../src/core/index.js";
import { createMetrics, type Logger } from "../../../src/telemetry/index.js";
import { createTestDatabase } from "../../support/database.js";

test("the holder of an old snapshot is logged once, and a metric shows for how long it is held", async () => {
  const database = await createTestDatabase("postgres");
  const store = await database.openStore();
  const metrics = createMetrics();
  const told: string[] = [];
  const tell = (facts: object, text: string) => void told.push(`${JSON.stringify(facts)} ${text}`);
  const logger = { info: tell, warn: tell } as unknown as Logger;
  const snapshots = createHeldSnapshots({
    lanes: createDatabaseLanes(store, defaultLimits, metrics),
    metrics,
    logger,
    oldSeconds: 0.01,
  });
  const { signal } = new AbortController();
  const { url } = database.connection as { url: string };
  const holder = new pg.Client({ connectionString: url, application_name: "nightly-dump" });
  await holder.connect();
  await holder.query("begin isolation level repeatable read");
  const { rows } = await holder.query<{ pid: number }>("select pg_backend_pid() as pid");
  await expect.poll(async () => (await store.findOldestSnapshot())?.seconds ?? 0).toBeGreaterThan(0.01);
  expect(await store.findOldestSnapshot()).toMatchObject({ name: "nightly-dump", pid: rows[0]?.pid });
  await snapshots.look(signal);
  await snapshots.look(signal);
  expect(told).toHaveLength(1);
  expect(told[0]).toContain(`"pid":${rows[0]?.pid},"application_name":"nightly-dump"`);
  expect(await metrics.registry.getSingleMetricAsString("millrace_oldest_snapshot_seconds")).toMatch(/seconds 0\.\d+/);
  await holder.query("rollback");
  await snapshots.look(signal);
  expect(told).toHaveLength(2);
  await holder.end();
  await database.drop();
});
