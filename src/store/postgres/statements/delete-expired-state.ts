import { sql } from "kysely";
import type { Database } from "../database/database.js";
import { prepareStatement } from "../statement.js";

/**
 * Deletes what has expired in the states of keyed topics; nobody gets it any more. Locks: those rows, skipping what an
 * append holds, which may be giving the key another record: it is looked at again with the next round. One that was
 * renewed since the snapshot is checked again, and stays. A state that is being built, from the newest record down, needs
 * even what has expired: without it an older record of the key would come back.
 * Index: `latest_expiring`, `latest_pkey`, `state_builds_pkey`.
 */
const deleteExpired = prepareStatement({
  values: { now: "bigint", count: "bigint" },
  build: (value) => sql<{ deleted: number }>`
with doomed as (
  select l.topic_id, l.key from millrace.latest as l where l.expire_time is not null and l.expire_time <= ${value.now}
    and not exists (select from millrace.state_builds as b where b.topic_id = l.topic_id)
  order by l.expire_time limit ${value.count} for update of l skip locked
), deleted as (
  delete from millrace.latest as l using doomed where l.topic_id = doomed.topic_id and l.key = doomed.key
  returning 1
)
select count(*) as deleted from deleted`,
});

export async function deleteExpiredState(database: Database, nowMicros: number, count: number): Promise<number> {
  const [row] = await database.run(deleteExpired, { now: nowMicros, count });
  return row?.deleted ?? 0;
}
