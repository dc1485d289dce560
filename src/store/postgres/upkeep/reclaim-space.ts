import { sql } from "kysely";
import type { Database } from "../database/database.js";
import { prepareStatement } from "../statement.js";

/**
 * Tables with many dead rows for their size. No locks; the counts are the server's statistics, some seconds old.
 * `blocks` is left to autovacuum, where there is one: it may be large, and its dead rows slow nobody down.
 * `reclaimBlocks` vacuums what retention deletes.
 */
const selectDead = prepareStatement({
  values: { withBlocks: "boolean" },
  build: (value) => sql<{ name: string }>`
select relname::text as name from pg_stat_user_tables
where schemaname = 'millrace' and (relname <> 'blocks' or ${value.withBlocks})
  and n_dead_tup > case when relname = 'blocks' then 1000 + n_live_tup * 0.1 else 500 + n_live_tup * 0.2 end
order by relname`,
});

const vacuumTimeoutMs = 600_000;

/** The number of rows in `blocks` at its last vacuum. -1: it was never vacuumed. No locks. */
const selectSize = prepareStatement({
  values: {},
  build: () =>
    sql<{ rows: number }>`select reltuples::bigint as rows from pg_class where oid = 'millrace.blocks'::regclass`,
});

/** Fewer deleted blocks are not worth it, whatever the size of the table. */
const deletedMin = 500;

/** A larger table is left to autovacuum, where there is one: every vacuum walks over its whole index. */
const rowsMax = 500_000;

/**
 * Vacuums the space of blocks that retention deleted, once a quarter of the table is deleted. So a table of bounded
 * topics stays bounded at any rate: autovacuum runs once a minute by default, in which a busy topic may be replaced
 * fifty times. Without ANALYZE, since no plan depends on it, and without truncation, which would lock the table
 * exclusively.
 * Locks: as `reclaimSpace`. False: not yet.
 */
export async function reclaimBlocks(database: Database, deleted: number): Promise<boolean> {
  if (deleted < deletedMin) return false;
  const [size] = await database.run(selectSize, {});
  const rows = Math.max(0, size?.rows ?? 0);
  if (deleted < deletedMin + rows / 4 || (database.kind === "postgres" && rows > rowsMax)) return false;
  await vacuum(database, "(truncate false, skip_locked) millrace.blocks");
  return true;
}

/**
 * VACUUM and ANALYZE, one table at a time, outside a transaction. Locks: SHARE UPDATE EXCLUSIVE, which allows appends
 * and reads; a table that another vacuum has locked is skipped. A role that does not own the tables gets a warning
 * instead.
 */
export async function reclaimSpace(database: Database): Promise<readonly string[]> {
  const tables = await database.run(selectDead, { withBlocks: database.kind === "embedded" });
  const names = tables.map((table) => table.name).filter((name) => vacuumed.has(name));
  for (const name of names) await vacuum(database, `(analyze, skip_locked) millrace.${name}`);
  return names;
}

async function vacuum(database: Database, what: string): Promise<void> {
  await database.withConnection(async (connection) => {
    await connection.command(`set statement_timeout = ${vacuumTimeoutMs}`);
    await connection.command(`vacuum ${what}`, vacuumTimeoutMs);
    await connection.command(`set statement_timeout = ${database.statementTimeoutMs}`);
  });
}

/** Names that may be written into a command. */
const vacuumed = new Set([
  "topics",
  "topic_heads",
  "blocks",
  "producers",
  "latest",
  "removals",
  "state_builds",
  "subscriptions",
  "claims",
  "settlements",
  "sessions",
  "members",
  "retries",
  "parked",
]);
