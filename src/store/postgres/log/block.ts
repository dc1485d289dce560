import { type RawBuilder, sql } from "kysely";
import type { FrameRow } from "./frame-query.js";
import { headColumns, headNames, heads, noHead } from "../topics/stored-topic.js";

/** A row of `blocks`: consecutive frames. `frames` is a view of the driver's buffer. */
export interface Block {
  readonly firstOffset: number;
  readonly nextOffset: number;
  /** The topic's running total of frame bytes up to and with its last record. */
  readonly endBytes: number;
  readonly frames: Buffer;
}

/** The types of the columns that `readBlock` reads. */
export const blockColumns = ["bigint", "bigint", "bigint", "bytea"] as const;

/**
 * The block of a topic that has an offset, as `c`; where nothing has it, the last one below. It is bounded from both
 * sides by the head's `front` (blocks.md, rule 6), which the query around it calls `head.front`. Index: `blocks_pkey`, one
 * probe downwards.
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
 * A topic's head, and then blocks of it, each a row of columns that `readBlock` reads. `blocks` is what follows a `select` of
 * four of its own: they may use `head`, and `parts`, further parts of the `with`.
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

/** The block in a row whose columns are its, behind those of a head and `at` others. Undefined: it is a head's row. */
export function readBlock(row: FrameRow, at = 0): Block | undefined {
  const firstOffset = row.integer(at);
  const nextOffset = row.integer(at + 1);
  const endBytes = row.integer(at + 2);
  const frames = row.bytes(at + 3);
  if (firstOffset === null || nextOffset === null || endBytes === null || frames === null) return undefined;
  return { firstOffset, nextOffset, endBytes, frames };
}
