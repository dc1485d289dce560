import { sql } from "kysely";
import { endOfFrame, skipFrames } from "../../../core/index.js";
import type { Member, SubscriptionProgress } from "../../subscription-store.js";
import type { Head } from "../../topic-store.js";
import type { Database } from "../database/database.js";
import { prepareStatement } from "../statement.js";
import { headColumns, heads, logEnd } from "../topics/stored-topic.js";
import { membersOf } from "../sessions/members-of.js";
import { unfolded } from "../claims/settlements.js";
import {
  type SubscriptionRow,
  subscriptionColumns,
  subscriptionTables,
  toStoredSubscription,
} from "./stored-subscription.js";

interface ProgressRow extends SubscriptionRow, Head {
  readonly cursor: number;
  readonly unsettled: number;
  readonly logBytes: number;
  /** Null, also the next two: there is no record at the cursor. */
  readonly blockFirst: number | null;
  readonly blockBytes: number | null;
  readonly blockFrames: string | null;
  readonly retries: number;
  readonly parked: number;
  readonly members: readonly Member[];
  readonly nowMicros: number;
}

/**
 * The progress of a subscription. No locks: one snapshot, so cursor and head match.
 *
 * The cursor is the lowest offset that a claim has and the topic still keeps. The offsets that nobody has taken yet are
 * a claim too (the rest), so offsets in no claim are settled. Trimmed records are not delivered. Redriven records are
 * left out: they were settled before.
 * Index: `subscriptions_pkey`, `topics_pkey`, those of `heads`, `claims_pkey`, `blocks_pkey`, and the other tables'
 * primary keys for the counts. The one block at the cursor is returned as base64, which is shorter than pg's hex.
 */
const selectProgress = prepareStatement({
  name: "read_progress",
  values: { subscriptionId: "bigint" },
  build: (value) => sql<ProgressRow>`
select ${subscriptionColumns}, ${headColumns}, place.cursor, (
    select coalesce(sum(upper(part) - lower(part)), 0)::bigint
    from unnest(place.todo * int8multirange(int8range(place.cursor, ${logEnd.offset}))) as part
  ) as unsettled,
  case when place.cursor >= ${logEnd.offset} then ${logEnd.bytes} else h.earliest_bytes end as "logBytes",
  block.first_offset as "blockFirst", block.start_bytes as "blockBytes", block.frames as "blockFrames",
  (
    select coalesce(sum(upper(part) - lower(part)), 0)::bigint
    from millrace.claims as c cross join lateral (
      select range_agg(r.offsets) * (c.todo - ${unfolded}) as offsets from millrace.retries as r
      where r.subscription_id = c.subscription_id and r.claim_id = c.claim_id
    ) as waiting cross join lateral unnest(waiting.offsets) as part
    where c.subscription_id = ${value.subscriptionId}
  ) as retries,
  (select count(*) from millrace.parked as p where p.subscription_id = ${value.subscriptionId}) as parked,
  ${membersOf(value.subscriptionId)} as members,
  (extract(epoch from clock_timestamp()) * 1000000)::bigint as "nowMicros"
from ${subscriptionTables} join (${heads}) on h.topic_id = s.topic_id
cross join lateral (
  select least(${logEnd.offset}, min(lower(claim.todo * int8multirange(int8range(h.earliest_offset, null))))
      filter (where claim.kind <> 'redriven')) as cursor,
    coalesce(range_agg(claim.todo), '{}') as todo
  from (
    select c.kind, c.todo - ${unfolded} as todo from millrace.claims as c
    where c.subscription_id = ${value.subscriptionId}
  ) as claim
) as place
left join lateral (
  select b.first_offset, b.end_bytes - octet_length(b.frames) as start_bytes,
    translate(encode(b.frames, 'base64'), E'\\n', '') as frames
  from millrace.blocks as b
  where b.topic_id = h.topic_id and b.first_offset >= h.front and b.first_offset <= place.cursor
    and b.next_offset > place.cursor and place.cursor >= h.earliest_offset
  order by b.first_offset desc limit 1
) as block on true
where s.subscription_id = ${value.subscriptionId}`,
});

export async function readProgress(
  database: Database,
  subscriptionId: number,
): Promise<SubscriptionProgress | undefined> {
  const [row] = await database.run(selectProgress, { subscriptionId });
  if (row === undefined) return undefined;
  const { cursor, unsettled, retries, parked, members, nowMicros } = row;
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
    ...recordAt(row),
    retries,
    parked,
    members,
    nowMicros,
  };
}

/** The record at the cursor, and the frame bytes below it. */
function recordAt({
  cursor,
  logBytes,
  blockFirst,
  blockBytes,
  blockFrames,
}: ProgressRow): Pick<SubscriptionProgress, "cursorBytes" | "cursorFrame"> {
  if (blockFirst === null || blockBytes === null || blockFrames === null) {
    return { cursorBytes: logBytes, cursorFrame: undefined };
  }
  const frames = Buffer.from(blockFrames, "base64");
  const start = skipFrames(frames, 0, cursor - blockFirst);
  return { cursorBytes: blockBytes + start, cursorFrame: frames.subarray(start, endOfFrame(frames, start)) };
}
