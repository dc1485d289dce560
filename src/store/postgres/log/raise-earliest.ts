import { sql } from "kysely";
import { skipFrames } from "../../../core/index.js";
import type { Head } from "../../topic-store.js";
import type { Connection } from "../database/database.js";
import { tables } from "../schema.js";
import { prepareStatement } from "../statement.js";
import { type Block, blockAt, headAndBlocks, readBlock } from "./block.js";
import { queryFrames } from "./frame-query.js";

/** The block that contains an offset or ends at it, with the head. No locks: one snapshot. Index: `blocks_pkey`. */
const selectBlock = prepareStatement({
  values: { topicId: "bigint", offset: "bigint" },
  build: (value) =>
    headAndBlocks(
      value.topicId,
      sql`cover.first_offset, cover.next_offset, cover.end_bytes, cover.frames
from head cross join lateral (
  ${blockAt(
    sql`c.first_offset, c.next_offset, c.end_bytes, c.frames`,
    value.topicId,
    sql`least(${value.offset}, head."nextOffset") - 1`,
  )}
) as cover`,
    ),
});

/**
 * Raises `earliest_offset` and records in `removals` which blocks are now unreachable. From its commit on no page
 * returns their records; the rows are deleted later. `last_time` becomes that of the last record, for when no block is
 * left.
 *
 * Locks: the head's row, then the row of `removals`. The condition on `earliest_offset` is checked again on the head's
 * newest version: a trim that came between either went further, or did a part of this one. An append does not update
 * the row, and the blocks found below the end do not change. Index: `topic_heads_pkey`, `removals_pkey`.
 */
const raise = prepareStatement({
  name: "raise_earliest",
  values: { topicId: "bigint", to: "bigint", bytes: "bigint", time: "bigint", versions: "bigint" },
  build: (value) =>
    tables
      .with("raised", (db) =>
        db
          .updateTable("topic_heads as h")
          .set((eb) => ({
            version: eb("h.version", "+", value.versions),
            earliest_offset: value.to,
            earliest_bytes: value.bytes,
            last_time: eb.fn("greatest", ["h.last_time", value.time]),
          }))
          .where("h.topic_id", "=", value.topicId)
          .where("h.earliest_offset", "<", value.to)
          .returning(["h.topic_id", "h.front", "h.earliest_offset"]),
      )
      .insertInto("removals")
      .columns(["topic_id", "from_offset", "to_offset"])
      .expression((eb) => eb.selectFrom("raised").select(["raised.topic_id", "raised.front", "raised.earliest_offset"]))
      .onConflict((conflict) =>
        conflict.column("topic_id").doUpdateSet((eb) => ({ to_offset: eb.ref("excluded.to_offset") })),
      )
      .returning("topic_id as topicId"),
});

export interface RaiseRequest {
  readonly topicId: number;
  readonly offset: number;
  /** Raises the version too, so that appends which were decided before are decided again. */
  readonly isControl: boolean;
}

/**
 * Raises `earliest_offset` to an offset, but not beyond the end of the log that a statement sees. Returns the head
 * after that. Undefined: there was nothing to do.
 */
export async function raiseEarliest(
  connection: Pick<Connection, "run" | "copy">,
  { topicId, offset, isControl }: RaiseRequest,
): Promise<Head | undefined> {
  let block: Pick<Block, "endBytes"> | undefined;
  const head = await queryFrames(connection, selectBlock, { topicId, offset }, (row, { nextOffset }) => {
    const found = readBlock(row);
    if (found !== undefined) block = { endBytes: bytesBelow(found, Math.min(offset, nextOffset)) };
  });
  if (head === undefined || block === undefined) return undefined;
  const to = Math.min(offset, head.nextOffset);
  if (to <= head.earliestOffset) return undefined;
  const values = { topicId, to, bytes: block.endBytes, time: head.lastTimeMicros, versions: isControl ? 1 : 0 };
  if ((await connection.run(raise, values)).length === 0) return undefined;
  const version = head.version + values.versions;
  return { ...head, version, earliestOffset: to, earliestBytes: block.endBytes };
}

/** The running total of frame bytes below an offset, which is in the block or at its end. */
function bytesBelow({ firstOffset, nextOffset, endBytes, frames }: Block, offset: number): number {
  if (offset >= nextOffset) return endBytes;
  return endBytes - (frames.length - skipFrames(frames, 0, offset - firstOffset));
}
