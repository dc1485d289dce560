import { type RawBuilder, sql } from "kysely";
import type { FrameRow } from "./frame-query.js";
import { headColumns, headNames, heads, noHead } from "../topics/stored-topic.js";

/** A row of `blocks`: consecutive frames. `frames` is a view of the driver's buffer. */
export interface Block {
  readonly firstOffset: number;
  readonly nextOffset: number;
  /** The topic's running total of frame bytes, including the last record of this block. */
  readonly endBytes: number;
  readonly frames: Buffer;
}

/** The types of the columns that `readBlock` reads. */
export const blockColumns = ["bigint", "bigint", "bigint", "bytea"] as const;

/**
 * The block `c` of a topic that contains an offset; if none does, the last block below it. The look-up is bounded from
 * both sides: below by the head's `front`, which the query around it calls `head.front` (blocks.md, rule 6). Index:
 * `blocks_pkey`, one probe downwards.
 */
export function blockAt(
  columns: RawBuilder<unknown>,
  topicId: RawBuilder<unknown>,
  offset: RawBuilder<unknown>,
): RawBuilder<unknown> {
  return sql`select ${columns} from millrace.blocks as c
  where c.topic_id = ${topicId} and c.first_offset >= head.front and c.first_offset <= ${offset}
  order by c.first_offset desc limit 1`;
}

/**
 * A topic's head, then some of its blocks, each a row of columns that `readBlock` reads. `blocks` is the rest of a
 * `select` of four columns. It may use `head` and `parts`, which are further parts of the `with`.
 */
export function headAndBlocks(
  topicId: RawBuilder<unknown>,
  blocks: RawBuilder<unknown>,
  parts: RawBuilder<unknown> = sql``,
): RawBuilder<object> {
  return sql<object>`
with recursive head as materialized (
  select ${headColumns}, h.front from ${heads} where h.topic_id = ${topicId}
)${parts}
select ${headNames}, null::bigint, null::bigint, null::bigint, null::bytea from head
union all
select ${noHead}, ${blocks}`;
}

/** The block in a row, whose columns follow the head's and `at` others. Undefined: the row is the head's. */
export function readBlock(row: FrameRow, at = 0): Block | undefined {
  const firstOffset = row.integer(at);
  const nextOffset = row.integer(at + 1);
  const endBytes = row.integer(at + 2);
  const frames = row.bytes(at + 3);
  if (firstOffset === null || nextOffset === null || endBytes === null || frames === null) return undefined;
  return { firstOffset, nextOffset, endBytes, frames };
}
