import { sql } from "kysely";
import type { OffsetFrame } from "../../log-store.js";
import type { Database, Session } from "../database/database.js";
import { prepareStatement } from "../statement.js";
import { readFrames } from "../log/read-frames.js";
import { encodeBuckets } from "./retry-buckets.js";

interface SourceRow {
  /** Null: the topic is not the one that the subscription reads any more. */
  readonly topicId: number | null;
  /** Null, as the frame: nothing was redriven. */
  readonly offset: number | null;
  readonly frame: string | null;
}

/**
 * Frames that were redriven, and the topic that has the others. No locks. Base64, since those are few, and pg reads bytea
 * as hex. Index: `claims_pkey`, `retries_pkey`, `subscriptions_pkey`, `topic_heads_pkey`.
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
 * Frames at single offsets, by offset: from where they were redriven, or else from the topic, if it is the one that the
 * subscription reads and still keeps them.
 */
export async function readRetryFrames(
  database: Pick<Database, "run" | "copy"> | Session,
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
