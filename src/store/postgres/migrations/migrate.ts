import { createHash } from "node:crypto";
import { sql } from "kysely";
import type { Database, Session } from "../database/database.js";
import { prepareStatement } from "../statement.js";
import type { Migration } from "./migration.js";
import { migrations } from "./migrations.js";

/** Held until the commit, so that of two nodes that start at once one migrates and the other then finds it done. */
const lockMigrations = prepareStatement({
  values: {},
  build: () => sql<object>`select pg_advisory_xact_lock(7022718493152116)`,
});

/** Asked first, since `create … if not exists` wants the right to create even where there is nothing to do. */
const selectExisting = prepareStatement({
  values: {},
  build: () => sql<{ schema: boolean; table: boolean }>`
select to_regnamespace('millrace') is not null as schema, to_regclass('millrace.migrations') is not null as table`,
});

const selectApplied = prepareStatement({
  values: {},
  build: () => sql<{ number: number; name: string; checksum: string }>`
select number::bigint as number, name, checksum from millrace.migrations order by number`,
});

const insertApplied = prepareStatement({
  values: { number: "int", name: "text", checksum: "text" },
  build: (value) => sql<object>`
insert into millrace.migrations (number, name, checksum) values (${value.number}, ${value.name}, ${value.checksum})`,
});

const createMigrationsTable = `create table millrace.migrations (
  number int primary key,
  name text not null,
  checksum text not null,
  applied_at timestamptz not null default clock_timestamp()
)`;

/** The database's schema and this program do not fit: waiting does not help. */
export class SchemaMismatchError extends Error {
  override readonly name = "SchemaMismatchError";
}

/**
 * Brings the schema up to this program's version, in one transaction under an advisory lock, and says which migrations
 * ran. Throws `SchemaMismatchError` when the schema is newer than the program, or not what its migrations made.
 */
export async function migrate(database: Database, list: readonly Migration[] = migrations): Promise<readonly string[]> {
  return database.transaction(async (session) => {
    // A migration may take long, and another node's is waited for.
    await session.command("set local statement_timeout = 0");
    await session.run(lockMigrations, {});
    await prepareTables(session);
    const applied = await session.run(selectApplied, {});
    const newest = applied.at(-1)?.number ?? 0;
    if (newest > list.length) {
      throw new SchemaMismatchError(
        `Cannot use this database: its schema millrace is at version ${newest}, and this program knows ${list.length}. Run a newer Millrace`,
      );
    }
    const ran: string[] = [];
    for (const migration of list) {
      const known = applied.find((row) => row.number === migration.number);
      if (known === undefined) ran.push(await apply(session, migration));
      else if (known.checksum !== migration.checksum) {
        throw new SchemaMismatchError(
          `Cannot use this database: migration ${migration.number} (${known.name}) ran there with another text than this program's`,
        );
      }
    }
    return ran;
  });
}

/** What `Migration.checksum` must be. */
export function checksumOf(statements: readonly string[]): string {
  return createHash("sha256").update(statements.join("\n")).digest("hex");
}

async function prepareTables(session: Session): Promise<void> {
  const [existing] = await session.run(selectExisting, {});
  if (!existing?.schema) await session.command("create schema millrace");
  if (!existing?.table) await session.command(createMigrationsTable);
}

async function apply(session: Session, migration: Migration): Promise<string> {
  for (const statement of migration.statements) await session.command(statement);
  const { number, name, checksum } = migration;
  await session.run(insertApplied, { number, name, checksum });
  return name;
}
