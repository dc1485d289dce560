import { sql } from "kysely";
import type { HeldSnapshot } from "../../upkeep-store.js";
import type { Database } from "../database/database.js";
import { prepareStatement } from "../statement.js";

/**
 * The holder of this database's oldest snapshot: a connection in a transaction, or a prepared transaction that was
 * never ended. While it is held, VACUUM cannot remove rows that were deleted or updated since. Without
 * `pg_read_all_stats` a role sees only its own connections. No locks.
 */
const selectOldest = prepareStatement({
  values: {},
  build: () => sql<HeldSnapshot>`
select * from (
  select pid::bigint as pid, coalesce(nullif(application_name, ''), 'unnamed') as name, usename::text as role,
    extract(epoch from clock_timestamp() - coalesce(xact_start, query_start))::float8 as seconds
  from pg_stat_activity
  where datname = current_database() and backend_xmin is not null and pid <> pg_backend_pid()
  union all
  select null, 'prepared transaction ' || gid, owner::text, extract(epoch from clock_timestamp() - prepared)::float8
  from pg_prepared_xacts where database = current_database()
) as holder
where seconds is not null
order by seconds desc limit 1`,
});

export async function findOldestSnapshot(database: Database): Promise<HeldSnapshot | undefined> {
  const [oldest] = await database.run(selectOldest, {});
  return oldest;
}
