import { type RawBuilder, sql } from "kysely";
import type { OverdueRead, OverdueRequest } from "../../upkeep-store.js";
import type { Database } from "../database/database.js";
import { prepareStatement } from "../statement.js";
import { ownOrDefault } from "./apply-retention.js";
import { heads, logEnd } from "../topics/stored-topic.js";

const values = {
  after: "bigint",
  count: "bigint",
  now: "bigint",
  ageMs: "bigint",
  records: "bigint",
  bytes: "bigint",
} as const;

interface OverdueRow {
  readonly topicId: number;
  readonly isOver: boolean;
}

/**
 * A page of topics, by id, and which of them hold enough beyond their retention to remove a block. No locks.
 * Index: the given one of `topics`, those of `heads`, and a probe of `blocks_pkey` for the first block of each.
 */
function overdueStatement(name: string, which: RawBuilder<unknown>) {
  return prepareStatement({
    name,
    values,
    build: (value) => sql<OverdueRow>`
select t.topic_id as "topicId",
  bounds.records > 0 and ${logEnd.offset} - h.earliest_offset > bounds.records
  or coalesce(bounds.bytes > 0 and ${logEnd.bytes} - oldest.end_bytes >= bounds.bytes, false)
  or coalesce(bounds.age_ms > 0 and oldest.last_time < ${value.now} - bounds.age_ms * 1000, false) as "isOver"
from millrace.topics as t
join (${heads}) on h.topic_id = t.topic_id
cross join lateral (
  select ${ownOrDefault(sql`t.retention_records`, value.records)} as records,
    ${ownOrDefault(sql`t.retention_bytes`, value.bytes)} as bytes,
    ${ownOrDefault(sql`t.retention_age_ms`, value.ageMs)} as age_ms
) as bounds
left join lateral (
  select b.end_bytes, b.last_time from millrace.blocks as b
  where b.topic_id = h.topic_id and b.first_offset >= h.front and b.first_offset <= h.earliest_offset
    and b.next_offset > h.earliest_offset and (bounds.bytes > 0 or bounds.age_ms > 0)
  order by b.first_offset desc limit 1
) as oldest on true
where t.topic_id > ${value.after} and ${which}
order by t.topic_id
limit ${value.count}`,
  });
}

/** Index: `topics_retained`. */
const selectRetained = overdueStatement(
  "find_overdue_retained",
  sql`(t.retention_age_ms > 0 or t.retention_records > 0 or t.retention_bytes > 0)`,
);
/** Index: `topics_pkey`. */
const selectAny = overdueStatement("find_overdue", sql`true`);

export async function findOverdue(database: Database, request: OverdueRequest): Promise<OverdueRead> {
  const { after, count, nowMicros, defaults } = request;
  const hasDefaults = defaults.ageMs > 0 || defaults.records > 0 || defaults.bytes > 0;
  const statement = hasDefaults ? selectAny : selectRetained;
  const rows = await database.run(statement, { after, count, now: nowMicros, ...defaults });
  return {
    topicIds: rows.filter((row) => row.isOver).map((row) => row.topicId),
    after: rows.length < count ? undefined : rows.at(-1)?.topicId,
  };
}
