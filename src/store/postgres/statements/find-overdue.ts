import { type RawBuilder, sql } from "kysely";
import type { OverdueRead, OverdueRequest } from "../../topic-store.js";
import type { Database } from "../database/database.js";
import { prepareStatement } from "../statement.js";
import { ownOrDefault } from "./apply-retention.js";
import { frameTime } from "./frame-time.js";

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
 * Topics that hold more than their retention keeps: a page of them, by id. No locks. Index: the given one of `topics`,
 * `topic_heads_pkey`, and one probe of `records_pkey` for the age of the oldest record.
 */
function overdueStatement(name: string, which: RawBuilder<unknown>) {
  return prepareStatement({
    name,
    values,
    build: (value) => sql<OverdueRow>`
select t.topic_id as "topicId",
  bounds.records > 0 and h.next_offset - h.earliest_offset > bounds.records
  or bounds.bytes > 0 and h.next_bytes - h.earliest_bytes > bounds.bytes
  or case when bounds.age_ms > 0 then coalesce((
      select ${frameTime(sql`r.frame`)} < ${value.now} - bounds.age_ms * 1000 from millrace.records as r
      where r.topic_id = h.topic_id and r."offset" = h.earliest_offset
    ), false) else false end as "isOver"
from millrace.topics as t
join millrace.topic_heads as h on h.topic_id = t.topic_id
cross join lateral (
  select ${ownOrDefault(sql`t.retention_records`, value.records)} as records,
    ${ownOrDefault(sql`t.retention_bytes`, value.bytes)} as bytes,
    ${ownOrDefault(sql`t.retention_age_ms`, value.ageMs)} as age_ms
) as bounds
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
