import { sql } from "kysely";
import { skipFrames } from "../../../core/index.js";
import type { Head } from "../../topic-store.js";
import type { Session } from "../database/database.js";
import { tables } from "../schema.js";
import { prepareStatement } from "../statement.js";
import { type Block, blockAt, headAndBlocks, readBlock } from "./block.js";
import { queryFrames } from "./frame-query.js";

/** The block that ends at an offset or has it, and the head beside it. No locks: one snapshot. Index: `blocks_pkey`. */
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
 * Raises `earliest_offset`, and remembers which blocks are out of reach. From its commit on no page gives them; their rows
 * go later. `last_time` becomes that of the last record: it is the topic's when none is left.
 *
 * Locks: the head's row, then that of `removals`. The condition on `earliest_offset` is checked again on the row's newest
 * version: a trim that came between has gone further, or does this one's part. An append does not touch the row: what was
 * found below its offset is there and stays what it is. Index: `topic_heads_pkey`, `removals_pkey`.
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
  /** Whether an append that was decided before is decided again. */
  readonly isControl: boolean;
}

/**
 * Raises it to an offset, at most to the end of the log as a statement sees it. Gives the head after that; undefined:
 * there was nothing to do.
 */
export async function raiseEarliest(
  session: Pick<Session, "run" | "copy">,
  { topicId, offset, isControl }: RaiseRequest,
): Promise<Head | undefined> {
  let block: Pick<Block, "endBytes"> | undefined;
  const head = await queryFrames(session, selectBlock, { topicId, offset }, (row, { nextOffset }) => {
    const found = readBlock(row);
    if (found !== undefined) block = { endBytes: bytesBelow(found, Math.min(offset, nextOffset)) };
  });
  if (head === undefined || block === undefined) return undefined;
  const to = Math.min(offset, head.nextOffset);
  if (to <= head.earliestOffset) return undefined;
  const values = { topicId, to, bytes: block.endBytes, time: head.lastTimeMicros, versions: isControl ? 1 : 0 };
  if ((await session.run(raise, values)).length === 0) return undefined;
  const version = head.version + values.versions;
  return { ...head, version, earliestOffset: to, earliestBytes: block.endBytes };
}

/** The running total of frame bytes below an offset that is in a block, or at its end. */
function bytesBelow({ firstOffset, nextOffset, endBytes, frames }: Block, offset: number): number {
  if (offset >= nextOffset) return endBytes;
  return endBytes - (frames.length - skipFrames(frames, 0, offset - firstOffset));
}
