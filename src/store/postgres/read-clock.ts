import { sql } from "kysely";
import type { Database } from "./database/database.js";
import { prepareStatement } from "./statement.js";

/** The server's wall clock, to the microsecond. Reads no table. */
const selectClock = prepareStatement({
  values: {},
  build: () => sql<{ micros: number }>`
select (extract(epoch from clock_timestamp()) * 1000000)::bigint as micros`,
});

export async function now(database: Database): Promise<number> {
  const [row] = await database.run(selectClock, {});
  return row?.micros ?? 0;
}
