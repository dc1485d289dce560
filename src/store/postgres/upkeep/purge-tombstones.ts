import { sql } from "kysely";
import type { OldTombstones } from "../../upkeep-store.js";
import type { Database } from "../database/database.js";
import { prepareStatement } from "../statement.js";
import { lockHead } from "../topics/lock-head.js";

/**
 * The `count` oldest tombstones of all topics, and until when those are. Topics whose state is being built keep
 * theirs: an older record of the key may be on its way into the state. No locks. Index: `latest_removed`, from its
 * beginning: where nothing is old this reads one entry.
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
 * Purges, and says in the same commit from where on the topic has all of its tombstones: a reader of the head sees what
 * is gone. Nothing else of a tombstone's key can come back: whatever else there was of it is below it.
 *
 * Locks: the head's row, taken by the statement before, so that no append is about to give one of these keys a record;
 * it is held for some milliseconds. Then the tombstones; one that is locked stays for the next time.
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
), told as (
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
  return database.transaction(async (session) => {
    if (!(await lockHead(session, topicId))) return 0;
    const [row] = await session.run(purgeOld, { topicId, until: untilMicros, count });
    return row?.purged ?? 0;
  });
}
