import { sql } from "kysely";
import type { Member, SubscriptionProgress } from "../../subscription-store.js";
import type { Head } from "../../topic-store.js";
import type { Database } from "../database/database.js";
import { prepareStatement } from "../statement.js";
import { frameTime } from "../statements/frame-time.js";
import { headColumns } from "../statements/stored-topic.js";
import { membersOf } from "./members-of.js";
import {
  type SubscriptionRow,
  subscriptionColumns,
  subscriptionTables,
  toStoredSubscription,
} from "./stored-subscription.js";

interface ProgressRow extends SubscriptionRow, Head {
  readonly cursor: number;
  readonly unsettled: number;
  readonly cursorBytes: number;
  readonly cursorTimeMicros: number | null;
  readonly retries: number;
  readonly parked: number;
  readonly members: readonly Member[];
  readonly nowMicros: number;
}

/**
 * How far a subscription is. No locks: one snapshot, so the cursor and the head belong together.
 *
 * The cursor is the lowest offset that a claim has and the topic still keeps: of a SHARED one what nobody has taken yet is a
 * claim too, so offsets that no claim has are settled, and trimmed records are not delivered. Redriven records were settled
 * before.
 * Index: `subscriptions_pkey`, `topics_pkey`, `topic_heads_pkey`, `claims_pkey`, `records_pkey`, and the other tables'
 * primary keys to count.
 */
const selectProgress = prepareStatement({
  name: "read_progress",
  values: { subscriptionId: "bigint" },
  build: (value) => sql<ProgressRow>`
select ${subscriptionColumns}, ${headColumns}, place.cursor, (
    select coalesce(sum(upper(part) - lower(part)), 0)::bigint
    from unnest(place.todo * int8multirange(int8range(place.cursor, h.next_offset))) as part
  ) as unsettled,
  coalesce(record.start_bytes,
    case when place.cursor >= h.next_offset then h.next_bytes else h.earliest_bytes end) as "cursorBytes",
  record.time as "cursorTimeMicros",
  (
    select coalesce(sum(upper(part) - lower(part)), 0)::bigint
    from millrace.claims as c cross join lateral (
      select range_agg(r.offsets) * c.todo as offsets from millrace.retries as r
      where r.subscription_id = c.subscription_id and r.claim_id = c.claim_id
    ) as waiting cross join lateral unnest(waiting.offsets) as part
    where c.subscription_id = ${value.subscriptionId}
  ) as retries,
  (select count(*) from millrace.parked as p where p.subscription_id = ${value.subscriptionId}) as parked,
  ${membersOf(value.subscriptionId)} as members,
  (extract(epoch from clock_timestamp()) * 1000000)::bigint as "nowMicros"
from ${subscriptionTables} join millrace.topic_heads as h on h.topic_id = s.topic_id
cross join lateral (
  select least(h.next_offset, min(lower(c.todo * int8multirange(int8range(h.earliest_offset, null))))
      filter (where c.kind <> 'redriven')) as cursor,
    coalesce(range_agg(c.todo), '{}') as todo
  from millrace.claims as c where c.subscription_id = ${value.subscriptionId}
) as place
left join lateral (
  select r.end_bytes - octet_length(r.frame) as start_bytes,
    ${frameTime(sql`r.frame`)} as time
  from millrace.records as r
  where r.topic_id = h.topic_id and r."offset" = place.cursor and r."offset" >= h.earliest_offset
) as record on true
where s.subscription_id = ${value.subscriptionId}`,
});

export async function readProgress(
  database: Database,
  subscriptionId: number,
): Promise<SubscriptionProgress | undefined> {
  const [row] = await database.run(selectProgress, { subscriptionId });
  if (row === undefined) return undefined;
  const { cursor, unsettled, cursorBytes, cursorTimeMicros, retries, parked, members, nowMicros } = row;
  return {
    subscription: toStoredSubscription(row),
    head: {
      topicId: row.topicId,
      epoch: row.epoch,
      version: row.version,
      earliestOffset: row.earliestOffset,
      nextOffset: row.nextOffset,
      earliestBytes: row.earliestBytes,
      nextBytes: row.nextBytes,
      lastTimeMicros: row.lastTimeMicros,
      closed: row.closed,
      keyed: row.keyed,
      tombstonesFrom: row.tombstonesFrom,
      expiring: row.expiring,
    },
    cursor,
    unsettled,
    cursorBytes,
    cursorTimeMicros: cursorTimeMicros ?? undefined,
    retries,
    parked,
    members,
    nowMicros,
  };
}
