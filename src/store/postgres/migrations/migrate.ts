import { createHash } from "node:crypto";
import { sql } from "kysely";
import type { Database, Connection } from "../database/database.js";
import { prepareStatement } from "../statement.js";
import type { Migration, MigrationStep, MigrationSteps } from "./migration.js";
import { migrations } from "./migrations.js";

/** Held until the commit. Of nodes that start together, one migrates and the others wait. */
const lockMigrations = "select pg_advisory_xact_lock(7022718493152116)";

/**
 * Checked before creating, since `create … if not exists` needs the privilege to create even where nothing is to do.
 * Reads the catalog's tables: `to_regclass` may answer from a cache that is older than the wait for the lock.
 */
const selectExisting = prepareStatement({
  values: {},
  build: () => sql<{ schema: boolean; table: boolean; unfinished: boolean }>`
select exists (select from pg_namespace where nspname = 'millrace') as schema,
  exists (select from pg_tables where schemaname = 'millrace' and tablename = 'migrations') as table,
  exists (select from pg_tables where schemaname = 'millrace' and tablename = 'migration_progress') as unfinished`,
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

export const createMigrationsTable = `create table millrace.migrations (
  number int primary key,
  name text not null,
  checksum text not null,
  applied_at timestamptz not null default clock_timestamp()
)`;

/** The database's schema does not fit this program, and waiting does not help. */
export class SchemaMismatchError extends Error {
  override readonly name = "SchemaMismatchError";
}

/** The progress of a migration that runs in steps. */
export interface MigrationProgress {
  /** The migration's name. */
  readonly migration: string;
  /** Offsets of `total` done so far, including those of killed runs and of other nodes. */
  readonly done: number;
  readonly total: number;
}

export interface MigrateOptions {
  /** Default: all. */
  readonly list?: readonly Migration[];
  /** Called after each step that was committed. */
  readonly onProgress?: (progress: MigrationProgress) => void;
  /** Stops between two transactions. */
  readonly signal?: AbortSignal;
}

/** The longest time for one statement of a migration, and for the wait for another node's transaction. */
const statementMsMax = 24 * 60 * 60 * 1000;

/**
 * Migrates the schema to this program's version, and returns the names of the migrations that it finished. It works in
 * transactions under an advisory lock. Each one reads from the database what is next, so a node continues where a
 * killed one stopped, and nodes that start together take turns. Throws `SchemaMismatchError` when the schema is newer
 * than the program, or was made by other migrations.
 */
export async function migrate(database: Database, options: MigrateOptions = {}): Promise<readonly string[]> {
  const { list = migrations, onProgress, signal } = options;
  const finished: string[] = [];
  for (;;) {
    signal?.throwIfAborted();
    const advance = await database.transaction((connection) => migrateOnce(connection, list));
    finished.push(...advance.finished);
    if (advance.progress !== undefined) onProgress?.(advance.progress);
    if (!advance.more) return finished;
  }
}

/** What `Migration.checksum` must be: SHA-256 of all its SQL, joined by line breaks, as hex. */
export function checksumOf({ statements, steps }: Pick<Migration, "statements" | "steps">): string {
  const texts = steps === undefined ? statements : [...statements, steps.step, ...steps.last];
  return createHash("sha256").update(texts.join("\n")).digest("hex");
}

/** What one transaction did. */
interface Advance {
  readonly finished: readonly string[];
  readonly progress?: MigrationProgress;
  /** Whether more may be left to do. */
  readonly more: boolean;
}

/**
 * Runs the next step of an unfinished migration; otherwise all missing migrations, up to and with the first with steps.
 */
async function migrateOnce(connection: Connection, list: readonly Migration[]): Promise<Advance> {
  await connection.command("set local statement_timeout = 0");
  await connection.command(lockMigrations, statementMsMax);
  const unfinished = await prepareTables(connection);
  const version = await checkVersion(connection, list);
  const newest = list[version - 1];
  if (unfinished && newest?.steps !== undefined) return takeStep(connection, newest.name, newest.steps);
  const finished: string[] = [];
  for (const migration of list.slice(version)) {
    await runAll(connection, migration.statements);
    const { number, name, checksum, steps } = migration;
    await connection.run(insertApplied, { number, name, checksum });
    if (steps !== undefined) return { finished, more: true };
    finished.push(name);
  }
  return { finished, more: false };
}

/** Whether a migration is unfinished. */
async function prepareTables(connection: Connection): Promise<boolean> {
  const [existing] = await connection.run(selectExisting, {});
  if (!existing?.schema) await connection.command("create schema millrace");
  if (!existing?.table) await connection.command(createMigrationsTable);
  return existing?.unfinished ?? false;
}

/** The schema's version: the number of its newest migration, or 0. */
async function checkVersion(connection: Connection, list: readonly Migration[]): Promise<number> {
  const applied = await connection.run(selectApplied, {});
  const version = applied.at(-1)?.number ?? 0;
  if (version > list.length) {
    throw new SchemaMismatchError(
      `Cannot use this database: its schema millrace is at version ${version}, and this program knows ${list.length}. Run a newer Millrace`,
    );
  }
  for (const { number, name, checksum } of applied) {
    if (list[number - 1]?.checksum === checksum) continue;
    throw new SchemaMismatchError(
      `Cannot use this database: migration ${number} (${name}) ran there with another text than this program's`,
    );
  }
  return version;
}

async function takeStep(connection: Connection, name: string, steps: MigrationSteps): Promise<Advance> {
  const { rows } = await connection.command(steps.step, statementMsMax);
  const { done, total, more } = rows[0] as MigrationStep;
  if (more) return { finished: [], progress: { migration: name, done, total }, more };
  await runAll(connection, steps.last);
  // There may be later migrations.
  return { finished: [name], more: true };
}

async function runAll(connection: Connection, statements: readonly string[]): Promise<void> {
  for (const statement of statements) await connection.command(statement, statementMsMax);
}
