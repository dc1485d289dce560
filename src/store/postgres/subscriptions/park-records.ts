import { sql } from "kysely";
import { deliveryBounds } from "../../../core/index.js";
import type { ParkWrite } from "../../subscription-store.js";
import type { Session } from "../database/database.js";
import { prepareStatement } from "../statement.js";
import { encodeRanges, rangesOf } from "./offset-ranges.js";
import { newestReasons, storableText } from "./reasons.js";
import { encodeBuckets } from "./retry-buckets.js";

/**
 * Sets records aside with a copy of their frame: from where they were redriven, or else from the topic, if it is the one
 * that the subscription reads and still keeps them. One that is parked already (it was sought back to) is replaced.
 * Locks: rows of `parked`, behind those of their claims. Index: `retries_pkey`, `subscriptions_pkey`, `topic_heads_pkey`,
 * `records_pkey`, `parked_pkey`.
 */
const insertParked = prepareStatement({
  name: "park_records",
  values: {
    subscriptionId: "bigint",
    claimIds: "bigint[]",
    buckets: "bigint[]",
    offsets: "int8multirange",
    parked: "jsonb",
    reasonsMost: "int",
  },
  build: (value) => sql<{ offset: number }>`
with known as materialized (
  select r.claim_id, each."offset", r.deliveries, r.reasons, r.frame
  from millrace.retries as r
    cross join lateral unnest(r.offsets * ${value.offsets}) as part
    cross join lateral generate_series(lower(part), upper(part) - 1) as each ("offset")
  where r.subscription_id = ${value.subscriptionId} and r.claim_id = any(${value.claimIds})
    and r.bucket = any(${value.buckets}) and r.offsets && ${value.offsets}
)
insert into millrace.parked as p (subscription_id, "offset", parked_time, deliveries, slot, lane, reasons, frame)
select ${value.subscriptionId}, w."offset", (extract(epoch from statement_timestamp()) * 1000000)::bigint, w.deliveries,
  w.slot, w.lane, ${newestReasons(sql`coalesce(r.reasons, '{}') || w.reason`, value.reasonsMost)},
  coalesce(r.frame, record.frame)
from jsonb_to_recordset(${value.parked})
    as w ("claimId" bigint, "offset" bigint, deliveries int, slot int, lane bigint, reason text)
  left join (
    select distinct on ("offset") * from known order by "offset", deliveries desc
  ) as r on r."offset" = w."offset" and r.claim_id = w."claimId"
  left join lateral (
    select source.frame
    from millrace.subscriptions as s
      join millrace.topic_heads as h on h.topic_id = s.topic_id and h.epoch = s.epoch
      join millrace.records as source on source.topic_id = h.topic_id
    where s.subscription_id = ${value.subscriptionId} and source."offset" = w."offset"
      and source."offset" >= h.earliest_offset
    -- One look at the index for each: without it a plan may read the whole topic.
    limit 1
  ) as record on true
where coalesce(r.frame, record.frame) is not null
on conflict (subscription_id, "offset") do update
set parked_time = excluded.parked_time, deliveries = excluded.deliveries, slot = excluded.slot, lane = excluded.lane,
    reasons = excluded.reasons, frame = excluded.frame
returning p."offset"`,
});

/** Each offset once, and each in a claim whose lock is held. Returns those whose record is gone. */
export async function parkRecords(
  session: Session,
  subscriptionId: number,
  parked: readonly ParkWrite[],
): Promise<readonly number[]> {
  const rows = parked.map(({ claimId, offset, deliveries, slot, lane, reason }) => ({
    claimId,
    offset,
    deliveries,
    slot,
    lane,
    reason: storableText(reason),
  }));
  const offsets = parked.map(({ offset }) => offset);
  const values = {
    subscriptionId,
    claimIds: `{${[...new Set(parked.map(({ claimId }) => claimId))].join(",")}}`,
    buckets: encodeBuckets(offsets),
    offsets: encodeRanges(rangesOf(offsets)),
    parked: JSON.stringify(rows),
    reasonsMost: deliveryBounds.reasons,
  };
  const kept = new Set((await session.run(insertParked, values)).map((row) => row.offset));
  return offsets.filter((offset) => !kept.has(offset));
}
