import { sql } from "kysely";
import type { OldTombstones } from "../../upkeep-store.js";
import type { Database } from "../database/database.js";
import { prepareStatement } from "../statement.js";
import { lockHead } from "../topics/lock-head.js";

/**
 * The `count` oldest tombstones of all topics, by topic with the time of its newest. Topics whose state is being built
 * keep theirs: the build may still add an older record of the key. No locks. Index: `latest_removed`, from its
 * beginning: if nothing is old, this reads one entry.
 */
const selectOld = prepareStatement({
  values: { before: "bigint", count: "bigint" },
  build: (value) => sql<{ topicId: number; untilMicros: number }>`
with old as (
  select l.topic_id, l.removed_time from millrace.latest as l
  where l.removed_time < ${value.before}
    and not exists (select from millrace.state_builds as b where b.topic_id = l.topic_id)
    and exists (select from millrace.topic_heads as h where h.topic_id = l.topic_id)
  order by l.removed_time limit ${value.count}
)
select topic_id as "topicId", max(removed_time) as "untilMicros" from old group by topic_id`,
});

/**
 * Deletes tombstones and raises `tombstones_from` above them in one commit, so a reader of the head sees that they are
 * missing. No older record of such a key can return: all of them have lower offsets.
 *
 * Locks: the head's row, by the statement before, for some milliseconds: no append may be about to write a record of
 * these keys. Then the tombstones; locked ones are left for the next call.
 * Index: `latest_removed`, `latest_pkey`, `topic_heads_pkey`.
 */
const purgeOld = prepareStatement({
  values: { topicId: "bigint", until: "bigint", count: "bigint" },
  build: (value) => sql<{ purged: number }>`
with doomed as (
  select topic_id, key from millrace.latest
  where removed_time <= ${value.until} and topic_id = ${value.topicId}
    and not exists (select from millrace.state_builds where topic_id = ${value.topicId})
  order by removed_time limit ${value.count}
  for update skip locked
), purged as (
  delete from millrace.latest as l using doomed
  where l.topic_id = doomed.topic_id and l.key = doomed.key
  returning l."offset"
), raised as (
  update millrace.topic_heads as h set tombstones_from = greatest(h.tombstones_from, p.last + 1)
  from (select max("offset") as last from purged) as p
  where h.topic_id = ${value.topicId} and p.last is not null
)
select count(*) as purged from purged`,
});

export async function findOldTombstones(
  database: Database,
  beforeMicros: number,
  count: number,
): Promise<readonly OldTombstones[]> {
  return database.run(selectOld, { before: beforeMicros, count });
}

export async function purgeTombstones(database: Database, old: OldTombstones, count: number): Promise<number> {
  const { topicId, untilMicros } = old;
  return database.transaction(async (connection) => {
    if (!(await lockHead(connection, topicId))) return 0;
    const [row] = await connection.run(purgeOld, { topicId, until: untilMicros, count });
    return row?.purged ?? 0;
  });
}
