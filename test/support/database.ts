import { randomBytes } from "node:crypto";
import { cp, rm } from "node:fs/promises";
import { join } from "node:path";
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

/** A database of one test file's own, empty at first. */
export interface TestDatabase {
  readonly kind: DatabaseKind;
  readonly connection: StoreConnection;
  /** Opens a store on it. On Postgres as often as you like; an embedded one once at a time. */
  openStore(options?: Partial<PostgresStoreOptions>): Promise<Store>;
  /** Closes the stores that it opened, and drops it. */
  drop(): Promise<void>;
}

export async function createTestDatabase(kind: DatabaseKind): Promise<TestDatabase> {
  switch (kind) {
    case "embedded": {
      const folder = await makeDatabaseFolder("millrace-embedded-");
      await cp(inject("pgliteTemplate"), join(folder, "postgres"), { recursive: true });
      return testDatabase(kind, { kind, folder }, () => rm(folder, { recursive: true, force: true }));
    }
    case "postgres": {
      const server = inject("postgresUrl");
      const name = `millrace_test_${randomBytes(6).toString("hex")}`;
      await runOn(server, `create database ${name}`);
      const url = new URL(server);
      url.pathname = `/${name}`;
      return testDatabase(kind, { kind, url: url.href }, () => runOn(server, `drop database ${name} with (force)`));
    }
    default:
      return kind satisfies never;
  }
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
