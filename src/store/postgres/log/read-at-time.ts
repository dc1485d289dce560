import { sql } from "kysely";
import type { TimeRead } from "../../log-store.js";
import type { Database } from "../database/database.js";
import { blockAt, blockColumns, headAndBlocks, readBlock } from "./block.js";
import { blockSearch } from "./block-search.js";
import { copyOf, prepareLogQuery, queryFrames } from "./frame-query.js";

/**
 * The block with the first record at or after a time, with the head. Times never go backwards within a topic, and a
 * block stores the time of its last record. No locks: one snapshot. Index: `topic_heads_pkey`, `blocks_pkey`.
 */
const selectBlock = prepareLogQuery({
  name: "read_at_time",
  columns: blockColumns,
  values: { topicId: "bigint", time: "bigint" },
  build: (value) =>
    headAndBlocks(
      value.topicId,
      sql`cover.first_offset, cover.next_offset, cover.end_bytes, cover.frames
from head cross join (select max(low) as low from search) as found cross join lateral (
  ${blockAt(sql`c.first_offset, c.next_offset, c.end_bytes, c.frames`, value.topicId, sql`found.low`)}
) as cover
where cover.next_offset > found.low`,
      sql`, ${blockSearch({
        topicId: value.topicId,
        range: sql`select "earliestOffset", "nextOffset" from head`,
        passes: sql`b.last_time < ${value.time}`,
      })}`,
    ),
});

export async function readAtTime(
  database: Pick<Database, "copy">,
  topicId: number,
  timeMicros: number,
): Promise<TimeRead | undefined> {
  let block: TimeRead["block"];
  const head = await queryFrames(database, selectBlock, { topicId, time: timeMicros }, (row) => {
    const found = readBlock(row);
    if (found !== undefined) block = { firstOffset: found.firstOffset, frames: copyOf(found.frames) };
  });
  return head && { head, block };
}
