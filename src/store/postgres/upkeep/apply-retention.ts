import { type RawBuilder, sql } from "kysely";
import type { Head } from "../../topic-store.js";
import type { RetentionCall } from "../../upkeep-store.js";
import type { Database } from "../database/database.js";
import { prepareStatement } from "../statement.js";
import { blockSearch } from "../log/block-search.js";
import { raiseEarliest } from "../log/raise-earliest.js";
import { headColumns, heads } from "../topics/stored-topic.js";

/** What a topic says for itself, or else the node's default. */
export function ownOrDefault(column: RawBuilder<unknown>, fallback: RawBuilder<number>): RawBuilder<number> {
  return sql<number>`coalesce(nullif(${column}, 0), ${fallback})`;
}

/**
 * Up to which offset a topic keeps nothing. The settings are those that the topic has now, whatever the caller knows of
 * them. No locks: one snapshot.
 *
 * What is beyond the count is a subtraction, and exact. What leaves by age or bytes leaves a block at a time: one leaves
 * when its newest record is too old, or when as many bytes as are kept stand behind it. So at least that is kept, and at
 * most a block more. The first block that stays is found by a binary search.
 * Index: those of `heads`, `topics_pkey`, and `blocks_pkey`, a probe a step.
 */
const selectKept = prepareStatement({
  name: "find_kept",
  values: {
    topicId: "bigint",
    now: "bigint",
    before: "bigint",
    ageMs: "bigint",
    records: "bigint",
    bytes: "bigint",
  },
  build: (value) => sql<{ offset: number }>`
with recursive head as materialized (
  select ${headColumns}, h.front,
    ${ownOrDefault(sql`t.retention_records`, value.records)} as records,
    ${ownOrDefault(sql`t.retention_bytes`, value.bytes)} as bytes,
    ${ownOrDefault(sql`t.retention_age_ms`, value.ageMs)} as age_ms
  from millrace.topics as t join (${heads}) on h.topic_id = t.topic_id
  where t.topic_id = ${value.topicId}
), counted as materialized (
  select greatest("earliestOffset", least("nextOffset", ${value.before}),
    case when records > 0 then "nextOffset" - records else 0 end) as low
  from head
), ${blockSearch({
    topicId: value.topicId,
    range: sql`select counted.low, case when bytes > 0 or age_ms > 0 then "nextOffset" else counted.low end
  from head cross join counted`,
    passes: sql`head.bytes > 0 and head."nextBytes" - b.end_bytes >= head.bytes
      or head.age_ms > 0 and b.last_time < ${value.now} - head.age_ms * 1000`,
  })}
select found."offset" from head cross join (select max(low) as "offset" from search) as found
where found."offset" > head."earliestOffset"`,
});

/** `version` stays: no append is decided on what is kept, and it would make every publisher's next commit decide twice. */
export async function applyRetention(database: Database, call: RetentionCall): Promise<Head | undefined> {
  const { topicId, nowMicros, beforeOffset = 0, defaults } = call;
  const values = { topicId, now: nowMicros, before: beforeOffset, ...defaults };
  const [kept] = await database.run(selectKept, values);
  return kept && raiseEarliest(database, { topicId, offset: kept.offset, isControl: false });
}
