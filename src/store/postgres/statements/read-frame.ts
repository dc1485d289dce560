import { sql } from "kysely";
import type { Database } from "../database/database.js";
import { prepareStatement } from "../statement.js";

/**
 * The frame at one offset, unless it is trimmed. No locks: one snapshot. Index: `topic_heads_pkey`, `records_pkey`.
 * Base64, since a binary search asks for few and small ones, and pg reads bytea as hex.
 */
const selectFrame = prepareStatement({
  name: "read_frame",
  values: { topicId: "bigint", offset: "bigint" },
  build: (value) => sql<{ frame: string }>`
select translate(encode(r.frame, 'base64'), E'\\n', '') as frame
from millrace.topic_heads as h join millrace.records as r on r.topic_id = h.topic_id
where h.topic_id = ${value.topicId} and r."offset" = ${value.offset} and r."offset" >= h.earliest_offset`,
});

export async function readFrame(database: Database, topicId: number, offset: number): Promise<Uint8Array | undefined> {
  const [row] = await database.run(selectFrame, { topicId, offset });
  return row && Buffer.from(row.frame, "base64");
}
