import { sql } from "kysely";
import type { TrimmedBlocks } from "../../upkeep-store.js";
import type { Database, Connection } from "../database/database.js";
import type { LogShape } from "../log-shape.js";
import { tables } from "../schema.js";
import { prepareStatement } from "../statement.js";
import { foldProducers } from "../log/fold-producers.js";
import { lockUpkeep } from "./lock-upkeep.js";
import { raiseMergedTo } from "./merge-blocks.js";

interface DeletedRun {
  readonly deleted: number;
  /** Where the last deleted block ended. Null: none was deleted. */
  readonly reached: number | null;
}

/**
 * Locks the row of `removals`, in a statement of its own. If a trim came between a deletion's snapshot and its lock, it
 * would move the row on to blocks that the snapshot may not have. The deletion would then delete the row, and these
 * blocks would stay for ever. Index: `removals_pkey`.
 */
const lockNote = prepareStatement({
  values: { topicId: "bigint", isThere: "boolean" },
  build: (value) => sql<object>`
select 1 from millrace.removals where topic_id = ${value.topicId} and whole_topic <> ${value.isThere}
for update skip locked`,
});

/**
 * Deletes one run of unreachable blocks, ascending, and moves their row of `removals` on. After the last run of a trim,
 * that row is deleted. A block with a kept record stays as a whole, and so does one whose producers are not folded yet.
 *
 * Locks, each taken by an earlier statement: the topic's upkeep, so that no merge makes a block here that this snapshot
 * does not have (blocks.md, rule 7); then the row of `removals` (skipped when another node has it: nothing is done).
 * Then blocks that no reader wants. The head's row is not locked: appends do not wait. A trim that comes meanwhile
 * waits for the row of `removals`, and inserts a new one.
 * Index: `removals_pkey`, `blocks_pkey`: a closed range that begins where the last run ended, so it does not walk over
 * dead index entries.
 */
const deleteRun = prepareStatement({
  values: { topicId: "bigint", isThere: "boolean", count: "bigint" },
  build: (value) => sql<DeletedRun>`
with note as materialized (
  select r.topic_id, r.from_offset, r.to_offset, r.whole_topic, least(r.to_offset, h.merged_to) as below
  from millrace.removals as r left join millrace.topic_heads as h on h.topic_id = r.topic_id
  where r.topic_id = ${value.topicId} and r.whole_topic <> ${value.isThere}
), doomed as materialized (
  select run.first_offset, run.next_offset from note cross join lateral (
    select b.first_offset, b.next_offset from millrace.blocks as b
    where b.topic_id = ${value.topicId} and b.first_offset >= note.from_offset and b.first_offset < note.to_offset
      and b.next_offset <= note.below
    order by b.first_offset limit ${value.count}
  ) as run
), run as materialized (
  select count(*) as deleted, max(next_offset) as reached, count(*) < ${value.count} and not exists (
      select from note join millrace.blocks as b on b.topic_id = ${value.topicId} and b.first_offset >= note.below
        and b.first_offset < note.to_offset and b.next_offset <= note.to_offset
    ) as is_last
  from doomed
), deleted as (
  delete from millrace.blocks as b using doomed
  where b.topic_id = ${value.topicId} and b.first_offset = doomed.first_offset
), moved as (
  update millrace.removals as removal
  set from_offset = case when run.is_last then note.to_offset else coalesce(run.reached, note.from_offset) end
  from note cross join run
  where removal.topic_id = note.topic_id and (note.whole_topic or not run.is_last)
), finished as (
  delete from millrace.removals as removal using note cross join run
  where removal.topic_id = note.topic_id and run.is_last and not note.whole_topic
)
select run.deleted, run.reached from run cross join note`,
});

/**
 * Makes look-ups skip the deleted blocks. In a commit of its own: a trim holds the head while it waits for the row of
 * `removals`. Locks: the head's row, as long as one append takes. Index: `topic_heads_pkey`.
 */
const raiseFront = prepareStatement({
  values: { topicId: "bigint", front: "bigint" },
  build: (value) =>
    tables
      .updateTable("topic_heads")
      .set({ front: value.front })
      .where("topic_id", "=", value.topicId)
      .where("front", "<", value.front)
      .where("earliest_offset", ">=", value.front),
});

/**
 * The end of a run of unreachable blocks whose producers may not be folded yet. No locks. Index: `removals_pkey`,
 * `topic_heads_pkey`, `blocks_pkey`.
 */
const selectUnfolded = prepareStatement({
  values: { topicId: "bigint", count: "bigint" },
  build: (value) => sql<{ below: number | null }>`
select max(run.next_offset) as below
from millrace.removals as r join millrace.topic_heads as h on h.topic_id = r.topic_id cross join lateral (
  select b.next_offset from millrace.blocks as b
  where b.topic_id = ${value.topicId} and b.first_offset >= h.merged_to and b.first_offset < r.to_offset
    and b.next_offset <= r.to_offset
  order by b.first_offset limit ${value.count}
) as run
where r.topic_id = ${value.topicId}`,
});

/** Folds the producers of the blocks before it deletes the blocks. */
export async function deleteTrimmed(
  database: Database,
  { producerWindow }: LogShape,
  { topicId, count }: TrimmedBlocks,
): Promise<number> {
  await database.transaction(async (connection) => {
    if (!(await lockUpkeep(connection, topicId))) return;
    const [run] = await connection.run(selectUnfolded, { topicId, count });
    if (run === undefined || run.below === null) return;
    await foldProducers(connection, { topicId, below: run.below }, producerWindow);
    await connection.run(raiseMergedTo, { topicId, mergedTo: run.below });
  });
  const run = await database.transaction(async (connection) =>
    (await lockUpkeep(connection, topicId)) ? runDeletion(connection, { topicId, count, isThere: true }) : undefined,
  );
  if (run !== undefined && run.reached !== null) await database.run(raiseFront, { topicId, front: run.reached });
  return run?.deleted ?? 0;
}

/** Deletes blocks of a deleted topic. */
export async function deleteLeft(database: Database, topicId: number, count: number): Promise<number> {
  const run = await database.transaction((connection) => runDeletion(connection, { topicId, count, isThere: false }));
  return run?.deleted ?? 0;
}

async function runDeletion(
  connection: Connection,
  run: TrimmedBlocks & { readonly isThere: boolean },
): Promise<DeletedRun | undefined> {
  if ((await connection.run(lockNote, run)).length === 0) return undefined;
  return (await connection.run(deleteRun, run))[0];
}
