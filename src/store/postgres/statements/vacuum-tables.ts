import { sql } from "kysely";
import type { Database } from "../database/database.js";
import { prepareStatement } from "../statement.js";

/**
 * Tables with many dead rows for their size. No locks; the counts are the server's statistics, some seconds old.
 * `records` is left to autovacuum where there is one: it may be large, and its dead rows slow nobody down.
 */
const selectDead = prepareStatement({
  values: { withRecords: "boolean" },
  build: (value) => sql<{ name: string }>`
select relname::text as name from pg_stat_user_tables
where schemaname = 'millrace' and (relname <> 'records' or ${value.withRecords})
  and n_dead_tup > case when relname = 'records' then 10000 + n_live_tup * 0.1 else 500 + n_live_tup * 0.2 end
order by relname`,
});

const vacuumTimeoutMs = 600_000;

/**
 * VACUUM and ANALYZE, a table at a time, outside a transaction. Locks: SHARE UPDATE EXCLUSIVE, beside which appends and
 * reads go on; a table that another vacuum holds is skipped. A role that does not own the tables gets a warning instead.
 */
export async function vacuumTables(database: Database): Promise<readonly string[]> {
  const tables = await database.run(selectDead, { withRecords: database.kind === "embedded" });
  const names = tables.map((table) => table.name).filter((name) => vacuumed.has(name));
  for (const name of names) {
    await database.session(async (session) => {
      await session.command(`set statement_timeout = ${vacuumTimeoutMs}`);
      await session.command(`vacuum (analyze, skip_locked) millrace.${name}`, vacuumTimeoutMs);
      await session.command(`set statement_timeout = ${database.statementTimeoutMs}`);
    });
  }
  return names;
}

/** Names that may be written into a command. */
const vacuumed = new Set(["topics", "topic_heads", "records", "producers", "latest", "removals", "state_builds"]);
