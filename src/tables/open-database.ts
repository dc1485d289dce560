import { Kysely, PostgresDialect } from "kysely";
import pg from "pg";

/** A database of somebody else's, of which tables are read. Nothing is known of its schema beforehand. */
export type ForeignDatabase = Kysely<unknown>;

/** Values as Postgres writes them: a Date has no microseconds, and a number not all digits. */
const asText = { getTypeParser: () => (text: string) => text } as unknown as pg.CustomTypesConfig;

/** Whatever the database's own settings are, values are written one way; and nothing here can write to it. */
const settings = `
  set timezone = 'UTC'; set datestyle = 'ISO, YMD'; set intervalstyle = 'iso_8601'; set bytea_output = 'hex';
  set extra_float_digits = 1; set default_transaction_read_only = on`;

/** One connection, opened when it is first used. `destroy` closes it. */
export function openForeignDatabase(url: string): ForeignDatabase {
  const pool = new pg.Pool({
    connectionString: url,
    max: 1,
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    fallback_application_name: "millrace import",
    types: asText,
    // The pool waits for what this returns, which its types do not tell.
    onConnect: (client): unknown => client.query(settings),
  });
  // The query under way fails too, and that is where it is told.
  pool.on("error", () => {});
  return new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) });
}
