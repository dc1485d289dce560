import { sql } from "kysely";
import type { RetryFrame } from "../../subscription-store.js";
import type { Database } from "../database/database.js";
import { prepareStatement } from "../statement.js";
import { encodeBuckets } from "./retry-buckets.js";

/**
 * Frames at single offsets: from where they were redriven, or else from the topic, if it is the one that the subscription
 * reads and still keeps them. No locks. Base64, as in `read-frame.ts`.
 * Index: `claims_pkey`, `retries_pkey`, `subscriptions_pkey`, `topic_heads_pkey`, `records_pkey`.
 */
const selectFrames = prepareStatement({
  name: "read_retry_frames",
  values: { subscriptionId: "bigint", topicId: "bigint", offsets: "bigint[]", buckets: "bigint[]" },
  build: (value) => sql<{ offset: number; frame: string }>`
with redriven as materialized (
  select distinct on (lower(r.offsets)) lower(r.offsets) as "offset", r.frame
  from millrace.claims as c
    join millrace.retries as r on r.subscription_id = c.subscription_id and r.claim_id = c.claim_id
      and r.bucket = any(${value.buckets}) and r.frame is not null and c.todo @> r.offsets
  where c.subscription_id = ${value.subscriptionId} and c.kind = 'redriven'
  order by lower(r.offsets), r.deliveries desc
)
select asked."offset", translate(encode(coalesce(r.frame, record.frame), 'base64'), E'\\n', '') as frame
from unnest(${value.offsets}) as asked ("offset")
  left join redriven as r on r."offset" = asked."offset"
  left join lateral (
    select source.frame
    from millrace.subscriptions as s
      join millrace.topic_heads as h on h.topic_id = s.topic_id and h.epoch = s.epoch
      join millrace.records as source on source.topic_id = h.topic_id
    where s.subscription_id = ${value.subscriptionId} and h.topic_id = ${value.topicId}
      and source."offset" = asked."offset" and source."offset" >= h.earliest_offset
    -- One look at the index for each: without it a plan may read the whole topic.
    limit 1
  ) as record on true
where coalesce(r.frame, record.frame) is not null
order by asked."offset"`,
});

/** By offset. */
export async function readRetryFrames(
  database: Database,
  subscriptionId: number,
  topicId: number,
  offsets: readonly number[],
): Promise<readonly RetryFrame[]> {
  if (offsets.length === 0) return [];
  const rows = await database.run(selectFrames, {
    subscriptionId,
    topicId,
    offsets: `{${offsets.join(",")}}`,
    buckets: encodeBuckets(offsets),
  });
  return rows.map(({ offset, frame }) => ({ offset, frame: Buffer.from(frame, "base64") }));
}
