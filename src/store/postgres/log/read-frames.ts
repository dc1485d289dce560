import { sql } from "kysely";
import { endOfFrame, skipFrames } from "../../../core/index.js";
import type { OffsetFrame } from "../../log-store.js";
import type { Database } from "../database/database.js";
import { type Block, blockAt, blockColumns, headAndBlocks, readBlock } from "./block.js";
import { copyOf, prepareLogQuery, queryFrames } from "./frame-query.js";

/**
 * The blocks that have some offsets, each once, and the head beside them. No locks: one snapshot.
 * Index: `blocks_pkey`, a probe an offset and one a block.
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

/** Frames at single offsets, but for those that are trimmed or not there: by offset, each once. */
export async function readFrames(
  session: Pick<Database, "copy">,
  topicId: number,
  offsets: readonly number[],
): Promise<readonly OffsetFrame[]> {
  if (offsets.length === 0) return [];
  const asked = [...new Set(offsets)].sort((one, other) => one - other);
  const found: OffsetFrame[] = [];
  const values = { topicId, offsets: `{${asked.join(",")}}` };
  await queryFrames(session, selectBlocks, values, (row, { earliestOffset }) => {
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

/** The one way to a record by its offset: the block that has it, then a walk over the lengths of the frames before it. */
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
