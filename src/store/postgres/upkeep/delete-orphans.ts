import { sql } from "kysely";
import type { Database } from "../database/database.js";
import { tables } from "../schema.js";
import { prepareStatement } from "../statement.js";
import { deleteLeft } from "./delete-trimmed.js";

/** Deleted topics that still have rows. No locks. Index: `removals_whole_topic`. */
const selectGone = prepareStatement({
  values: {},
  build: () =>
    tables
      .selectFrom("removals")
      .where((eb) => eb.ref("whole_topic"))
      .select("topic_id as topicId")
      .orderBy("topic_id")
      .limit(sql.lit(100)),
});

/**
 * Waits for a running step of building the state; no other follows. Locks: the build's row.
 * Index: `state_builds_pkey`.
 */
const deleteBuild = prepareStatement({
  values: { topicId: "bigint" },
  build: (value) => tables.deleteFrom("state_builds").where("topic_id", "=", value.topicId),
});

/** Locks: rows of producers that nobody can write any more. Index: `producers_pkey`. */
const deleteProducers = prepareStatement({
  values: { topicId: "bigint", count: "bigint" },
  build: (value) => sql<{ deleted: number }>`
with deleted as (
  delete from millrace.producers where (topic_id, producer_id) in (
    select topic_id, producer_id from millrace.producers where topic_id = ${value.topicId}
    order by producer_id limit ${value.count} for update skip locked)
  returning 1
)
select count(*) as deleted from deleted`,
});

/** Locks: rows of a state that nobody can write any more. Index: `latest_pkey`. */
const deleteState = prepareStatement({
  values: { topicId: "bigint", count: "bigint" },
  build: (value) => sql<{ deleted: number }>`
with deleted as (
  delete from millrace.latest where (topic_id, key) in (
    select topic_id, key from millrace.latest where topic_id = ${value.topicId}
    order by key limit ${value.count} for update skip locked)
  returning 1
)
select count(*) as deleted from deleted`,
});

/**
 * Deletes the removal of a topic that has no rows left. Locks: the removal's row. Index: `removals_pkey`,
 * `producers_pkey`, `latest_pkey`.
 */
const deleteNote = prepareStatement({
  values: { topicId: "bigint" },
  build: (value) =>
    tables
      .deleteFrom("removals as removal")
      .where("removal.topic_id", "=", value.topicId)
      .where((eb) => eb.ref("removal.whole_topic"))
      .whereRef("removal.from_offset", "=", "removal.to_offset")
      .where(({ not, exists, selectFrom }) =>
        not(exists(selectFrom("producers").select("topic_id").where("topic_id", "=", value.topicId))),
      )
      .where(({ not, exists, selectFrom }) =>
        not(exists(selectFrom("latest").select("topic_id").where("topic_id", "=", value.topicId))),
      ),
});

/**
 * Deletes blocks (ascending), producers, state, then the removal, each in a statement of its own: no lock is held long.
 */
export async function deleteOrphans(database: Database, count: number): Promise<number> {
  let deleted = 0;
  for (const { topicId } of await database.run(selectGone, {})) {
    await database.run(deleteBuild, { topicId });
    deleted += await deleteLeft(database, topicId, count - deleted);
    if (deleted >= count) break;
    const [row] = await database.run(deleteProducers, { topicId, count: count - deleted });
    deleted += row?.deleted ?? 0;
    if (deleted >= count) break;
    const [state] = await database.run(deleteState, { topicId, count: count - deleted });
    deleted += state?.deleted ?? 0;
    if (deleted >= count) break;
    await database.run(deleteNote, { topicId });
  }
  return deleted;
}
