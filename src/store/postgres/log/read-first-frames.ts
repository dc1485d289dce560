import { sql } from "kysely";
import { endOfFrame, skipFrames } from "../../../core/index.js";
import type { Database } from "../database/database.js";
import { blockAt } from "./block.js";
import { copyOf, prepareLogQuery, queryFrames } from "./frame-query.js";
import { headColumns, headNames, heads } from "../topics/stored-topic.js";

/**
 * The block with the first record of each topic, and how many trimmed records precede it there. A block that begins
 * with that record is cut to `bytes`. No locks: one snapshot. Index: `topic_heads_pkey`, `blocks_pkey`, two probes a
 * topic.
 */
const selectFirst = prepareLogQuery({
  name: "read_first_frames",
  columns: ["bigint", "bigint", "bytea"],
  values: { topicIds: "bigint[]", bytes: "int" },
  build: (value) => sql<object>`
with head as materialized (
  select ${headColumns}, h.front from ${heads} where h.topic_id = any(${value.topicIds})
)
select ${headNames}, "topicId", "earliestOffset" - cover.first_offset, case when cover.first_offset = "earliestOffset"
    then substring(cover.frames from 1 for ${value.bytes}) else cover.frames end
from head cross join lateral (
  ${blockAt(sql`c.first_offset, c.next_offset, c.frames`, sql`head."topicId"`, sql`head."earliestOffset"`)}
) as cover
where cover.next_offset > "earliestOffset"`,
});

/** Nearly every record is shorter than this. */
const shortBytes = 4096;
/** The largest `int` of Postgres: the whole block. */
const anyBytes = 2 ** 31 - 1;

/** The first record of each topic, by topic. Topics without records, and deleted topics, are missing. */
export async function readFirstFrames(
  database: Pick<Database, "copy">,
  topicIds: readonly number[],
): Promise<ReadonlyMap<number, Uint8Array>> {
  const found = new Map<number, Uint8Array>();
  const longer = await readInto(found, database, { topicIds, bytes: shortBytes });
  await readInto(found, database, { topicIds: longer, bytes: anyBytes });
  return found;
}

/** Returns the topics whose first record is longer than `bytes`. */
async function readInto(
  found: Map<number, Uint8Array>,
  database: Pick<Database, "copy">,
  { topicIds, bytes }: { readonly topicIds: readonly number[]; readonly bytes: number },
): Promise<readonly number[]> {
  const longer: number[] = [];
  if (topicIds.length === 0) return longer;
  await queryFrames(database, selectFirst, { topicIds: `{${topicIds.join(",")}}`, bytes }, (row) => {
    const topicId = row.integer(0);
    const frames = row.bytes(2);
    if (topicId === null || frames === null) return;
    const start = skipFrames(frames, 0, row.integer(1) ?? 0);
    const end = endOfFrame(frames, start);
    if (end > frames.length) longer.push(topicId);
    else found.set(topicId, copyOf(frames.subarray(start, end)));
  });
  return longer;
}
