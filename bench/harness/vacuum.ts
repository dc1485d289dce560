import pg from "pg";

/**
 * Vacuums and analyses all tables of a database. After a fill Postgres would do this by itself sooner or later, at the
 * expense of the subject that is measured meanwhile.
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
