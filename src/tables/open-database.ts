import { Kysely, PostgresDialect } from "kysely";
import pg from "pg";

/** A user's database, from which tables are read. Its schema is unknown beforehand. */
export type ForeignDatabase = Kysely<unknown>;

/** Returns values as Postgres's text: a Date has no microseconds, and a number loses digits. */
const asText = { getTypeParser: () => (text: string) => text } as unknown as pg.CustomTypesConfig;

/** Makes the text of values independent of the database's own settings, and the connection read-only. */
const settings = `
  set timezone = 'UTC'; set datestyle = 'ISO, YMD'; set intervalstyle = 'iso_8601'; set bytea_output = 'hex';
  set extra_float_digits = 1; set default_transaction_read_only = on`;

/** One connection, which the first statement opens. `destroy` closes it. */
export function openForeignDatabase(url: string): ForeignDatabase {
  const pool = new pg.Pool({
    connectionString: url,
    max: 1,
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    fallback_application_name: "millrace import",
    types: asText,
    // The pool awaits the result, though its types do not say so.
    onConnect: (client): unknown => client.query(settings),
  });
  // The running statement fails with the same error and reports it.
  pool.on("error", () => {});
  return new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) });
}
