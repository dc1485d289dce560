import { afterEach, describe, expect, test } from "vitest";
import { checksumOf } from "../../src/store/postgres/migrations/migrate.js";
import { migrations } from "../../src/store/postgres/migrations/migrations.js";
import { PGlite } from "@electric-sql/pglite";
import { join } from "node:path";
import { createTestDatabase, databaseKinds, runOn, type TestDatabase } from "../support/database.js";
import { describeSchema } from "./describe-schema.js";

test("migrations, count from 1 and have not changed since their release", () => {
  expect(migrations.map((migration) => migration.number)).toEqual(migrations.map((_, index) => index + 1));
  for (const migration of migrations) {
    const { name, checksum } = migration;
    expect({ name, checksum: checksumOf(migration) }).toEqual({ name, checksum });
  }
});

describe.each(databaseKinds)("Schema on %s", (kind) => {
  let database: TestDatabase;
  afterEach(() => database?.drop());

  /** Runs SQL without the store, which must be closed where the database has only one connection. */
  async function query(text: string): Promise<readonly Record<string, string | boolean>[]> {
    const { connection } = database;
    if (connection.kind === "postgres") return (await runOn(connection.url, text)).rows;
    const pglite = await PGlite.create(join(connection.folder, "postgres"));
    try {
      return (await pglite.query<Record<string, string | boolean>>(text)).rows;
    } finally {
      await pglite.close();
    }
  }

  test("the tables, are those of schema.sql", async () => {
    database = await createTestDatabase(kind, "empty");
    await (await database.openStore()).close();
    await expect(await describeSchema(query)).toMatchFileSnapshot("./schema.sql");
  });

  test("a store, opens a current database without changing it", async () => {
    database = await createTestDatabase(kind);
    await (await database.openStore()).close();
    const before = await query("select * from millrace.migrations");
    await (await database.openStore()).close();
    expect(await query("select * from millrace.migrations")).toEqual(before);
  });

  test("a store, refuses a newer schema", async () => {
    database = await createTestDatabase(kind);
    await (await database.openStore()).close();
    await query("insert into millrace.migrations (number, name, checksum) values (99, 'later', '')");
    await expect(database.openStore()).rejects.toThrow(
      `schema millrace is at version 99, and this program knows ${migrations.length}`,
    );
  });

  test("a store, refuses a schema that another text made", async () => {
    database = await createTestDatabase(kind);
    await (await database.openStore()).close();
    await query("update millrace.migrations set checksum = 'other' where number = 1");
    await expect(database.openStore()).rejects.toThrow("migration 1 (create-tables) ran there with another text");
  });
});

describe("Schema on postgres", () => {
  test("stores that open an empty database at once migrate it once", async () => {
    const database = await createTestDatabase("postgres", "empty");
    const stores = await Promise.all(Array.from({ length: 6 }, () => database.openStore({ connections: 2 })));
    expect(stores).toHaveLength(6);
    const { rows } = await runOn(
      (database.connection as { url: string }).url,
      "select number from millrace.migrations",
    );
    expect(rows).toHaveLength(migrations.length);
    await database.drop();
  });
});
