import { sql } from "kysely";
import type { TrimmedBlocks } from "../../upkeep-store.js";
import type { Database, Session } from "../database/database.js";
import type { LogShape } from "../log-shape.js";
import { tables } from "../schema.js";
import { prepareStatement } from "../statement.js";
import { foldProducers } from "../log/fold-producers.js";
import { lockUpkeep } from "./lock-upkeep.js";
import { raiseMergedTo } from "./merge-blocks.js";

interface DeletedRun {
  readonly deleted: number;
  /** Where the last one ended; null: there was none. */
  readonly reached: number | null;
}

/**
 * Locks the note of what is to be deleted. In a statement of its own: a trim that comes between a statement's snapshot and
 * its lock moves the note further, to blocks that this snapshot may not have. A deletion by that snapshot drops the
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
 * run. A block that has a record which is kept stays as a whole; and one whose producers are not in their rows yet.
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
 * Lets looks at the topic pass over what is deleted. In a commit of its own: a trim holds the head and waits for the note.
 * Locks: the head's row, as long as one append takes. Index: `topic_heads_pkey`.
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
 * Up to where a run of blocks out of reach goes that may still have steps of producers. No locks. Index: `removals_pkey`,
 * `blocks_pkey`.
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

/** What the blocks say of producers is brought into their rows first. */
export async function deleteTrimmed(
  database: Database,
  { producerWindow }: LogShape,
  { topicId, count }: TrimmedBlocks,
): Promise<number> {
  await database.transaction(async (session) => {
    if (!(await lockUpkeep(session, topicId))) return;
    const [run] = await session.run(selectUnfolded, { topicId, count });
    if (run === undefined || run.below === null) return;
    await foldProducers(session, { topicId, below: run.below }, producerWindow);
    await session.run(raiseMergedTo, { topicId, mergedTo: run.below });
  });
  const run = await database.transaction(async (session) =>
    (await lockUpkeep(session, topicId)) ? runDeletion(session, { topicId, count, isThere: true }) : undefined,
  );
  if (run !== undefined && run.reached !== null) await database.run(raiseFront, { topicId, front: run.reached });
  return run?.deleted ?? 0;
}

/** The same, of a topic that is gone. */
export async function deleteLeft(database: Database, topicId: number, count: number): Promise<number> {
  const run = await database.transaction((session) => runDeletion(session, { topicId, count, isThere: false }));
  return run?.deleted ?? 0;
}

async function runDeletion(
  session: Session,
  run: TrimmedBlocks & { readonly isThere: boolean },
): Promise<DeletedRun | undefined> {
  if ((await session.run(lockNote, run)).length === 0) return undefined;
  return (await session.run(deleteRun, run))[0];
}
