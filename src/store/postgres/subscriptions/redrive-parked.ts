import { sql } from "kysely";
import type { RedriveWrite } from "../../subscription-store.js";
import type { Database } from "../database/database.js";
import { tables } from "../schema.js";
import { prepareStatement } from "../statement.js";
import { unfolded } from "../claims/settlements.js";
import { bucketOffsets } from "../claims/retry-buckets.js";

/**
 * Excludes a seek or a deletion until the commit: either would miss the new claims. Locks: the row of `subscriptions`,
 * shared with other redrives. Index: `subscriptions_pkey`.
 */
const holdSubscription = prepareStatement({
  values: { subscriptionId: "bigint" },
  build: (value) =>
    tables
      .selectFrom("subscriptions")
      .where("subscription_id", "=", value.subscriptionId)
      .select("subscription_id")
      .forShare(),
});

/**
 * Moves parked records to `retries`, in new free claims, one for each slot. A record that a claim has already (after a
 * seek back) stays parked: it is delivered from that claim, and no offset is in two claims.
 *
 * Locks: the rows of `parked`. Of two redrives at once, the second finds them deleted. Except by a seek or a redrive, a
 * slot's claims only lose offsets (a cut moves them in one commit). So an old snapshot may keep a record parked without
 * need, but never puts an offset in two claims. Index: `parked_pkey`, `claims_pkey`.
 */
const moveParked = prepareStatement({
  values: { subscriptionId: "bigint", offsets: "bigint[]", delayMs: "bigint", stepMicros: "float8" },
  build: (value) => sql<{ moved: number }>`
with claimed as materialized (
  select c.slot, range_agg(c.todo - ${unfolded}) as todo from millrace.claims as c
  where c.subscription_id = ${value.subscriptionId}
  group by c.slot
), moved as (
  delete from millrace.parked as p
  where p.subscription_id = ${value.subscriptionId} and p."offset" = any(${value.offsets})
    and not exists (select from claimed where claimed.slot = p.slot and claimed.todo @> p."offset")
  returning p.*
), numbered as (
  select moved.*, row_number() over (order by "offset") - 1 as index from moved
), added as (
  insert into millrace.claims (subscription_id, kind, slot, todo)
  select ${value.subscriptionId}, 'redriven', slot, range_agg(int8range("offset", "offset" + 1))
  from numbered group by slot
  returning claim_id, slot
), waiting as (
  insert into millrace.retries
    (subscription_id, claim_id, bucket, offsets, deliveries, failures, retry_time, lanes, frame)
  select ${value.subscriptionId}, added.claim_id, numbered."offset" / ${sql.raw(String(bucketOffsets))},
    int8multirange(int8range(numbered."offset", numbered."offset" + 1)), numbered.deliveries, 0,
    (extract(epoch from statement_timestamp()) * 1000000)::bigint + ${value.delayMs} * 1000
      + (numbered.index * ${value.stepMicros})::bigint,
    case when numbered.lane is not null then jsonb_build_object(numbered."offset", numbered.lane) end, numbered.frame
  from numbered join added on added.slot = numbered.slot
)
select count(*) as moved from moved`,
});

/** Returns how many were moved. */
export async function redriveParked(database: Database, write: RedriveWrite): Promise<number> {
  const { subscriptionId, offsets, delayMs, stepMicros } = write;
  if (offsets.length === 0) return 0;
  return database.transaction(async (connection) => {
    const held = await connection.run(holdSubscription, { subscriptionId });
    if (held.length === 0) return 0;
    const values = { subscriptionId, offsets: `{${offsets.join(",")}}`, delayMs: Math.round(delayMs), stepMicros };
    const [row] = await connection.run(moveParked, values);
    return row?.moved ?? 0;
  });
}
