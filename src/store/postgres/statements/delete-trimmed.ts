import { sql } from "kysely";
import type { Database } from "../database/database.js";
import { prepareStatement } from "../statement.js";
import { lockUpkeep } from "./lock-upkeep.js";

/**
 * Locks the note of what is to be deleted. In a statement of its own: a trim that comes between a statement's snapshot and
 * its lock moves the note further, to blocks that this snapshot may not have. Whoever deletes by that snapshot drops the
 * note, and they stay. Index: `removals_pkey`.
 */
const lockNote = prepareStatement({
  values: { topicId: "bigint", isThere: "boolean" },
  build: (value) => sql<object>`
select 1 from millrace.removals where topic_id = ${value.topicId} and whole_topic <> ${value.isThere}
for update skip locked`,
});

/**
 * Deletes one run of blocks out of reach, ascending, and moves the note of them on; the note of a trim goes with its last
 * run. A block that has a record which is kept stays as a whole.
 *
 * Locks, each by a statement before: the topic's upkeep, so that no merge makes a block of these meanwhile which this
 * snapshot does not have (blocks.md, rule 7); the note's row (skipped when another node works on it: nothing is done). Then
 * blocks that no reader wants. The head's row is not touched: appends do not wait. A trim that comes meanwhile waits for
 * the note's row, and makes a new note.
 * Index: `removals_pkey`, `blocks_pkey`: a closed range that begins where the last one ended, so that it does not walk over
 * index entries that are dead already.
 */
const deleteRun = prepareStatement({
  values: { topicId: "bigint", isThere: "boolean", count: "bigint" },
  build: (value) => sql<{ deleted: number; reached: number | null }>`
with note as materialized (
  select topic_id, from_offset, to_offset, whole_topic
  from millrace.removals where topic_id = ${value.topicId} and whole_topic <> ${value.isThere}
), doomed as materialized (
  select run.first_offset, run.next_offset from note cross join lateral (
    select b.first_offset, b.next_offset from millrace.blocks as b
    where b.topic_id = ${value.topicId} and b.first_offset >= note.from_offset and b.first_offset < note.to_offset
      and b.next_offset <= note.to_offset
    order by b.first_offset limit ${value.count}
  ) as run
), run as materialized (
  select count(*) as deleted, max(next_offset) as reached, count(*) < ${value.count} as is_last from doomed
), deleted as (
  delete from millrace.blocks as b using doomed
  where b.topic_id = ${value.topicId} and b.first_offset = doomed.first_offset
), moved as (
  update millrace.removals as removal
  set from_offset = case when run.is_last then note.to_offset else run.reached end
  from note cross join run
  where removal.topic_id = note.topic_id and (note.whole_topic or not run.is_last)
), finished as (
  delete from millrace.removals as removal using note cross join run
  where removal.topic_id = note.topic_id and run.is_last and not note.whole_topic
)
select run.deleted, run.reached from run cross join note`,
});

/**
 * Lets looks at the topic pass over what is deleted. In a commit of its own: a trim holds the head and waits for the note.
 * Locks: the head's row, as long as one append takes. Index: `topic_heads_pkey`.
 */
const raiseFront = prepareStatement({
  values: { topicId: "bigint", front: "bigint" },
  build: (value) => sql<object>`
update millrace.topic_heads set front = ${value.front}
where topic_id = ${value.topicId} and front < ${value.front} and ${value.front} <= earliest_offset`,
});

/** Returns how many blocks went. `isThere`: the topic is, and not its blocks alone. */
export async function deleteTrimmed(
  database: Database,
  topicId: number,
  count: number,
  isThere = true,
): Promise<number> {
  const run = await database.transaction(async (session) => {
    if (isThere && !(await lockUpkeep(session, topicId))) return undefined;
    if ((await session.run(lockNote, { topicId, isThere })).length === 0) return undefined;
    return (await session.run(deleteRun, { topicId, isThere, count }))[0];
  });
  if (isThere && run !== undefined && run.reached !== null) {
    await database.run(raiseFront, { topicId, front: run.reached });
  }
  return run?.deleted ?? 0;
}
