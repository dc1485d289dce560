import { sql } from "kysely";
import type { Database } from "../database/database.js";
import { prepareStatement } from "../statement.js";

/**
 * Frames at single offsets, but for those that are trimmed. No locks: one snapshot. Base64, as in `read-frame.ts`.
 * Index: `topic_heads_pkey`, `records_pkey`.
 */
const selectFrames = prepareStatement({
  name: "read_frames",
  values: { topicId: "bigint", offsets: "bigint[]" },
  build: (value) => sql<{ offset: number; frame: string }>`
select asked."offset", translate(encode(record.frame, 'base64'), E'\\n', '') as frame
from unnest(${value.offsets}) as asked ("offset")
  cross join lateral (
    select r.frame
    from millrace.topic_heads as h join millrace.records as r on r.topic_id = h.topic_id
    where h.topic_id = ${value.topicId} and r."offset" = asked."offset" and r."offset" >= h.earliest_offset
    -- One look at the index for each: without it a plan may read the whole topic.
    limit 1
  ) as record
order by asked."offset"`,
});

/** By offset. */
export async function readFrames(
  database: Database,
  topicId: number,
  offsets: readonly number[],
): Promise<readonly { readonly offset: number; readonly frame: Uint8Array }[]> {
  if (offsets.length === 0) return [];
  const rows = await database.run(selectFrames, { topicId, offsets: `{${offsets.join(",")}}` });
  return rows.map(({ offset, frame }) => ({ offset, frame: Buffer.from(frame, "base64") }));
}
