import { sql } from "kysely";
import type { IdleProducers } from "../../upkeep-store.js";
import type { Database } from "../database/database.js";
import { prepareStatement } from "../statement.js";

/**
 * Deletes producers that are idle for too long, and the longest idle ones of topics that have too many.
 *
 * Locks: their rows, skipping those that another transaction has locked. So it waits for nobody, and cannot deadlock
 * with transactions that lock several producers in another order. A row that was updated since the snapshot is checked
 * again.
 * Index: none, by choice: every update of a producer would have to update one on `updated_at`. This walks over the
 * table, about once an hour.
 */
const deleteIdle = prepareStatement({
  values: { idleMs: "bigint", perTopic: "bigint", count: "bigint" },
  build: (value) => sql<{ deleted: number }>`
with crowded as (
  select topic_id from millrace.producers group by topic_id having count(*) > ${value.perTopic}
), surplus as (
  select topic_id, producer_id, updated_at from (
    select p.topic_id, p.producer_id, p.updated_at,
      row_number() over (partition by p.topic_id order by p.updated_at desc, p.producer_id) as place
    from millrace.producers as p join crowded using (topic_id)
  ) as ranked where place > ${value.perTopic}
), doomed as (
  select p.topic_id, p.producer_id from millrace.producers as p
  where p.updated_at < clock_timestamp() - ${value.idleMs} * interval '1 millisecond'
    or (p.topic_id, p.producer_id, p.updated_at) in (select topic_id, producer_id, updated_at from surplus)
  limit ${value.count}
  for update of p skip locked
), deleted as (
  delete from millrace.producers as p using doomed
  where p.topic_id = doomed.topic_id and p.producer_id = doomed.producer_id
  returning 1
)
select count(*) as deleted from deleted`,
});

export async function deleteIdleProducers(database: Database, producers: IdleProducers): Promise<number> {
  const [row] = await database.run(deleteIdle, producers);
  return row?.deleted ?? 0;
}
