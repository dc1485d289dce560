import { type RawBuilder, sql } from "kysely";
import type { Head, RetentionCall } from "../../topic-store.js";
import type { Database } from "../database/database.js";
import { prepareStatement } from "../statement.js";
import { frameTime } from "./frame-time.js";
import { headColumns } from "./stored-topic.js";

/** What a topic says for itself, or else the node's default. */
export function ownOrDefault(column: RawBuilder<unknown>, fallback: RawBuilder<number>): RawBuilder<number> {
  return sql<number>`coalesce(nullif(${column}, 0), ${fallback})`;
}

/**
 * Raises `earliest_offset` to what retention keeps, and remembers which records are out of reach; their rows go later.
 * The settings are those that the topic has now, whatever the caller knows of them.
 *
 * How far: what is beyond the count is a subtraction. What leaves by age or bytes leaves from the front too, so the first
 * that stays is found by a binary search over offsets: some twenty probes for a million records. A record that is not
 * there, since somebody deleted rows by other means, ends the search at what was found so far.
 *
 * Locks: the head's row, for this one statement, then that of `removals`. Everything but that row is of one snapshot. If
 * an append or another node moved the row meanwhile, the condition on `earliest_offset` is checked again on what it is
 * now: an append leaves it, and this goes on, right as before, since offsets below the one it found are there and stay
 * what they are; another trim moves it, and nothing is done.
 * `version` stays: no append is decided on what is kept, and it would make every publisher's next commit decide twice.
 * Index: `topic_heads_pkey`, `topics_pkey`, `records_pkey`, a probe a step.
 */
const raiseToRetention = prepareStatement({
  name: "apply_retention",
  values: {
    topicId: "bigint",
    now: "bigint",
    before: "bigint",
    ageMs: "bigint",
    records: "bigint",
    bytes: "bigint",
  },
  build: (value) => sql<Head>`
with recursive topic as materialized (
  select h.topic_id, h.earliest_offset, h.earliest_bytes, h.next_offset, h.next_bytes,
    ${ownOrDefault(sql`t.retention_records`, value.records)} as records,
    ${ownOrDefault(sql`t.retention_bytes`, value.bytes)} as bytes,
    ${ownOrDefault(sql`t.retention_age_ms`, value.ageMs)} as age_ms
  from millrace.topics as t join millrace.topic_heads as h on h.topic_id = t.topic_id
  where t.topic_id = ${value.topicId}
), counted as materialized (
  select greatest(earliest_offset, least(next_offset, ${value.before}),
    case when records > 0 then next_offset - records else 0 end) as low, topic.*
  from topic
), search (low, high) as (
  select low, case when bytes > 0 or age_ms > 0 then next_offset else low end from counted
  union all
  select case when probe.leaves then probe.middle + 1 else search.low end,
    case when probe.leaves then search.high else probe.middle end
  from search cross join topic cross join lateral (
    select r."offset" as middle,
      topic.bytes > 0 and topic.next_bytes - r.end_bytes + octet_length(r.frame) > topic.bytes
        or case when topic.age_ms > 0 then ${frameTime(sql`r.frame`)} < ${value.now} - topic.age_ms * 1000
          else false end as leaves
    from millrace.records as r
    where r.topic_id = topic.topic_id and r."offset" = (search.low + search.high) / 2
  ) as probe
  where search.low < search.high
), target as materialized (
  select topic.topic_id, topic.earliest_offset as from_offset, found.to_offset,
    case when found.to_offset = topic.next_offset then topic.next_bytes else coalesce((
      select r.end_bytes from millrace.records as r
      where r.topic_id = ${value.topicId} and r."offset" = found.to_offset - 1), topic.earliest_bytes) end as to_bytes
  from topic cross join (select max(low) as to_offset from search) as found
  where found.to_offset > topic.earliest_offset
), raised as (
  update millrace.topic_heads as h set earliest_offset = target.to_offset, earliest_bytes = target.to_bytes
  from target where h.topic_id = target.topic_id and h.earliest_offset = target.from_offset
  returning ${headColumns}
), noted as (
  insert into millrace.removals as removal (topic_id, from_offset, to_offset)
  select target.topic_id, target.from_offset, target.to_offset
  from target join raised on raised."topicId" = target.topic_id
  on conflict (topic_id) do update set to_offset = excluded.to_offset
)
select * from raised`,
});

export async function applyRetention(database: Database, call: RetentionCall): Promise<Head | undefined> {
  const { topicId, nowMicros, beforeOffset = 0, defaults } = call;
  const values = { topicId, now: nowMicros, before: beforeOffset, ...defaults };
  const [head] = await database.run(raiseToRetention, values);
  return head;
}
