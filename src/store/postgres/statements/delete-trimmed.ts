import { sql } from "kysely";
import type { Session } from "../database/database.js";
import { prepareStatement } from "../statement.js";

/**
 * Deletes one run of records out of reach, ascending, and moves the note of them on; the note of a trim goes with its
 * last run.
 *
 * Locks: the note's row (skipped when another node works on it: zero), then rows that no reader wants. The head's row is
 * not touched: appends do not wait. A trim that comes meanwhile waits for the note's row, and makes a new note.
 * Index: `removals_pkey`, `records_pkey`: a closed range that begins where the last one ended, so that it does not walk
 * over index entries that are dead already. Offsets have no gaps, so how many went is known without counting them, which
 * would cost a third more.
 */
const deleteRun = prepareStatement({
  values: { topicId: "bigint", count: "bigint" },
  build: (value) => sql<{ deleted: number }>`
with note as (
  select topic_id, from_offset, least(to_offset, from_offset + ${value.count}) as run_end, to_offset, whole_topic
  from millrace.removals where topic_id = ${value.topicId}
  for update skip locked
), deleted as (
  delete from millrace.records as r using note
  where r.topic_id = note.topic_id and r."offset" >= note.from_offset and r."offset" < note.run_end
), moved as (
  update millrace.removals as removal set from_offset = note.run_end
  from note where removal.topic_id = note.topic_id and (note.run_end < note.to_offset or note.whole_topic)
), finished as (
  delete from millrace.removals as removal
  using note where removal.topic_id = note.topic_id and note.run_end = note.to_offset and not note.whole_topic
)
select run_end - from_offset as deleted from note`,
});

export async function deleteTrimmed(session: Pick<Session, "run">, topicId: number, count: number): Promise<number> {
  const [row] = await session.run(deleteRun, { topicId, count });
  return row?.deleted ?? 0;
}
