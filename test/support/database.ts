import { randomBytes } from "node:crypto";
import { cpSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { PGlite } from "@electric-sql/pglite";
import pg from "pg";
import { inject } from "vitest";
import type { Store } from "../../src/store/index.js";
import { openPostgresStore, type PostgresStoreOptions, type StoreConnection } from "../../src/store/postgres/index.js";
import { silentLogger } from "../../src/telemetry/index.js";
import { makeDatabaseFolder } from "./database-folder.js";

/** What every suite on a database loops over. */
export const databaseKinds = ["embedded", "postgres"] as const;

/** Of suites of whole processes, which take long, `make test` has one database, and `make soak` both. */
export const onPostgres = ["postgres"] as const;
export const onEmbedded = ["embedded"] as const;

export type DatabaseKind = (typeof databaseKinds)[number];

/** A database of one test file's own. */
export interface TestDatabase {
  readonly kind: DatabaseKind;
  readonly connection: StoreConnection;
  /** Opens a store on it. On Postgres as often as you like; an embedded one once at a time. */
  openStore(options?: Partial<PostgresStoreOptions>): Promise<Store>;
  /** Closes the stores that it opened, and drops it. */
  drop(): Promise<void>;
}

/** Its schema is there, without rows. `empty`: it is not, and the store has to migrate. */
export async function createTestDatabase(
  kind: DatabaseKind,
  schema: "migrated" | "empty" = "migrated",
): Promise<TestDatabase> {
  switch (kind) {
    case "embedded": {
      const folder = await makeDatabaseFolder("millrace-embedded-");
      const directory = join(folder, "postgres");
      // A third of the time that promises take for a thousand files.
      cpSync(inject("pgliteTemplate"), directory, { recursive: true });
      if (schema === "empty") await dropSchema(directory);
      return testDatabase(kind, { kind, folder }, () => rm(folder, { recursive: true, force: true }));
    }
    case "postgres": {
      const server = inject("postgresUrl");
      const name = `millrace_test_${randomBytes(6).toString("hex")}`;
      const template = schema === "migrated" ? inject("postgresTemplate") : "template1";
      await runOn(server, `create database ${name} template ${template}`);
      const url = urlOf(server, name);
      return testDatabase(kind, { kind, url }, () => runOn(server, `drop database ${name} with (force)`));
    }
    default:
      return kind satisfies never;
  }
}

async function dropSchema(directory: string): Promise<void> {
  const pglite = await PGlite.create(directory);
  await pglite.exec("drop schema millrace cascade");
  await pglite.close();
}

/** A database of the server at a URL. */
export function urlOf(server: string, database: string): string {
  const url = new URL(server);
  url.pathname = `/${database}`;
  return url.href;
}

function testDatabase(kind: DatabaseKind, connection: StoreConnection, remove: () => Promise<unknown>): TestDatabase {
  const stores: Store[] = [];
  return {
    kind,
    connection,
    async openStore(options) {
      const store = await openPostgresStore({ connection, logger: silentLogger, ...options });
      stores.push(store);
      return store;
    },
    async drop() {
      await Promise.all(stores.map((store) => store.close()));
      await remove();
    },
  };
}

/** Runs one command on a connection of its own, past every store: to look, and to do harm. */
export async function runOn(url: string, text: string): Promise<pg.QueryResult> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await client.query(text);
  } finally {
    await client.end();
  }
}
