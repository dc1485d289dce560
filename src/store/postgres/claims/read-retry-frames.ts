import { sql } from "kysely";
import type { OffsetFrame } from "../../log-store.js";
import type { Database, Connection } from "../database/database.js";
import { prepareStatement } from "../statement.js";
import { readFrames } from "../log/read-frames.js";
import { encodeBuckets } from "./retry-buckets.js";

interface SourceRow {
  /** Null: the subscription's topic was deleted or has another epoch. */
  readonly topicId: number | null;
  /** Null, also the frame: none of these was redriven. */
  readonly offset: number | null;
  readonly frame: string | null;
}

/**
 * Redriven frames, and the topic that has the others. No locks. The frames are few, so base64 is enough, and shorter
 * than pg's hex. Index: `claims_pkey`, `retries_pkey`, `subscriptions_pkey`, `topic_heads_pkey`.
 */
const selectRedriven = prepareStatement({
  name: "read_redriven_frames",
  values: { subscriptionId: "bigint", offsets: "bigint[]", buckets: "bigint[]" },
  build: (value) => sql<SourceRow>`
select h.topic_id as "topicId", redriven."offset", redriven.frame
from millrace.subscriptions as s
  left join millrace.topic_heads as h on h.topic_id = s.topic_id and h.epoch = s.epoch
  left join lateral (
    select distinct on (lower(r.offsets)) lower(r.offsets) as "offset",
      translate(encode(r.frame, 'base64'), E'\\n', '') as frame
    from millrace.claims as c
      join millrace.retries as r on r.subscription_id = c.subscription_id and r.claim_id = c.claim_id
        and r.bucket = any(${value.buckets}) and r.frame is not null and c.todo @> r.offsets
    where c.subscription_id = ${value.subscriptionId} and c.kind = 'redriven'
      and lower(r.offsets) = any(${value.offsets})
    order by lower(r.offsets), r.deliveries desc
  ) as redriven on true
where s.subscription_id = ${value.subscriptionId}`,
});

/**
 * Frames at single offsets, by offset: from where they were redriven, or from the subscription's topic, if it still has
 * them.
 */
export async function readRetryFrames(
  database: Pick<Database, "run" | "copy"> | Connection,
  subscriptionId: number,
  offsets: readonly number[],
): Promise<readonly OffsetFrame[]> {
  if (offsets.length === 0) return [];
  const rows = await database.run(selectRedriven, {
    subscriptionId,
    offsets: `{${offsets.join(",")}}`,
    buckets: encodeBuckets(offsets),
  });
  const found = new Map<number, Uint8Array>();
  for (const { offset, frame } of rows) {
    if (offset !== null && frame !== null) found.set(offset, Buffer.from(frame, "base64"));
  }
  const topicId = rows[0]?.topicId ?? undefined;
  const others = offsets.filter((offset) => !found.has(offset));
  if (topicId !== undefined) {
    for (const { offset, frame } of await readFrames(database, topicId, others)) found.set(offset, frame);
  }
  return [...found].map(([offset, frame]) => ({ offset, frame })).sort((one, other) => one.offset - other.offset);
}
