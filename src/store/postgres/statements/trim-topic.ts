import { sql } from "kysely";
import type { StoredTopic } from "../../topic-store.js";
import type { Database } from "../database/database.js";
import { prepareStatement } from "../statement.js";
import { findTopicById } from "./find-topic.js";
import { lockHead } from "./lock-head.js";

/**
 * Raises `earliest_offset`, never above `next_offset` and never down, and remembers which records are out of reach.
 * From its commit on no page gives them; their rows go later.
 *
 * Locks: the head's row, taken by the statement before, so that `next_offset` and the records are of one snapshot; then
 * the row of `removals`. `earliest_bytes` is the running total at the last record that went.
 * Index: `topic_heads_pkey`, `records_pkey`.
 */
const raiseEarliest = prepareStatement({
  values: { topicId: "bigint", before: "bigint" },
  build: (value) => sql<object>`
with target as (
  select h.topic_id, h.earliest_offset as from_offset, least(${value.before}, h.next_offset) as to_offset, h.next_offset
  from millrace.topic_heads as h
  where h.topic_id = ${value.topicId} and h.earliest_offset < least(${value.before}, h.next_offset)
), raised as (
  update millrace.topic_heads as h
  set version = h.version + 1, earliest_offset = target.to_offset,
      earliest_bytes = case when target.to_offset = target.next_offset then h.next_bytes else (
        select r.end_bytes from millrace.records as r
        where r.topic_id = ${value.topicId} and r."offset" = target.to_offset - 1) end
  from target where h.topic_id = target.topic_id
)
insert into millrace.removals as removal (topic_id, from_offset, to_offset)
select topic_id, from_offset, to_offset from target
on conflict (topic_id) do update set to_offset = excluded.to_offset`,
});

export async function trimTopic(
  database: Database,
  topicId: number,
  beforeOffset: number,
): Promise<StoredTopic | undefined> {
  return database.transaction(async (session) => {
    if (!(await lockHead(session, topicId))) return undefined;
    await session.run(raiseEarliest, { topicId, before: beforeOffset });
    return findTopicById(session, topicId);
  });
}
