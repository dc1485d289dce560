import { type RawBuilder, sql } from "kysely";
import type { Head } from "../../topic-store.js";
import type { RetentionCall } from "../../upkeep-store.js";
import type { Database } from "../database/database.js";
import { prepareStatement } from "../statement.js";
import { blockSearch } from "../log/block-search.js";
import { raiseEarliest } from "../log/raise-earliest.js";
import { headColumns, heads } from "../topics/stored-topic.js";

/** A topic's own setting, or the node's default. */
export function ownOrDefault(column: RawBuilder<unknown>, fallback: RawBuilder<number>): RawBuilder<number> {
  return sql<number>`coalesce(nullif(${column}, 0), ${fallback})`;
}

/**
 * The offset below which retention keeps nothing. It uses the topic's stored settings, whatever the caller knows of
 * them. No locks: one snapshot.
 *
 * The bound by count is exact: a subtraction. The bounds by age and bytes remove whole blocks: one whose newest record
 * is too old, or one with at least the kept bytes after it. So at least the bound is kept, and at most one block more.
 * A binary search finds the first block to keep.
 * Index: those of `heads`, `topics_pkey`, and `blocks_pkey`, one probe for each step.
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

/**
 * `version` stays: no append depends on what is kept, and raising it would make every publisher's next commit decide
 * twice.
 */
export async function applyRetention(database: Database, call: RetentionCall): Promise<Head | undefined> {
  const { topicId, nowMicros, beforeOffset = 0, defaults } = call;
  const values = { topicId, now: nowMicros, before: beforeOffset, ...defaults };
  const [kept] = await database.run(selectKept, values);
  return kept && raiseEarliest(database, { topicId, offset: kept.offset, isControl: false });
}
