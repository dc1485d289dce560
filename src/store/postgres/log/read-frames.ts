import { sql } from "kysely";
import { endOfFrame, skipFrames } from "../../../core/index.js";
import type { OffsetFrame } from "../../log-store.js";
import type { Database } from "../database/database.js";
import { type Block, blockAt, blockColumns, headAndBlocks, readBlock } from "./block.js";
import { copyOf, prepareLogQuery, queryFrames } from "./frame-query.js";

/**
 * The blocks that contain some offsets, each block once, with the head. No locks: one snapshot.
 * Index: `topic_heads_pkey`, `blocks_pkey`, one probe for each offset and one for each block.
 */
const selectBlocks = prepareLogQuery({
  name: "read_frames",
  columns: blockColumns,
  values: { topicId: "bigint", offsets: "bigint[]" },
  build: (value) =>
    headAndBlocks(
      value.topicId,
      sql`b.first_offset, b.next_offset, b.end_bytes, b.frames
from (
  select distinct cover.first_offset
  from head cross join unnest(${value.offsets}) as asked ("offset") cross join lateral (
    ${blockAt(sql`c.first_offset`, value.topicId, sql`asked."offset"`)}
  ) as cover
  where asked."offset" >= head."earliestOffset"
) as cover join millrace.blocks as b on b.topic_id = ${value.topicId} and b.first_offset = cover.first_offset`,
    ),
});

/** The frames at some offsets, in order, each once. Trimmed and missing offsets are left out. */
export async function readFrames(
  connection: Pick<Database, "copy">,
  topicId: number,
  offsets: readonly number[],
): Promise<readonly OffsetFrame[]> {
  if (offsets.length === 0) return [];
  const asked = [...new Set(offsets)].sort((one, other) => one - other);
  const found: OffsetFrame[] = [];
  const values = { topicId, offsets: `{${asked.join(",")}}` };
  await queryFrames(connection, selectBlocks, values, (row, { earliestOffset }) => {
    const block = readBlock(row);
    if (block !== undefined)
      found.push(
        ...framesAt(
          block,
          asked.filter((offset) => offset >= earliestOffset),
        ),
      );
  });
  return found.sort((one, other) => one.offset - other.offset);
}

/** The only way to a record by its offset: find its block, then skip the frames before it by their lengths. */
function framesAt({ firstOffset, nextOffset, frames }: Block, ascending: readonly number[]): OffsetFrame[] {
  const found: OffsetFrame[] = [];
  let at = 0;
  let reached = firstOffset;
  for (const offset of ascending) {
    if (offset < firstOffset || offset >= nextOffset) continue;
    at = skipFrames(frames, at, offset - reached);
    reached = offset;
    found.push({ offset, frame: copyOf(frames.subarray(at, endOfFrame(frames, at))) });
  }
  return found;
}
