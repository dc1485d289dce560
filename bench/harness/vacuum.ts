import pg from "pg";

/**
 * Vacuums and analyses all tables of a database. After a fill Postgres would do so by itself sooner or later, and take
 * that time from whoever is measured meanwhile.
 */
export async function vacuum(databaseUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query("vacuum analyze");
  } finally {
    await client.end();
  }
}
