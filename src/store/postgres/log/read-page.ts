import { type RawBuilder, sql } from "kysely";
import type { Direction } from "../../../core/index.js";
import type { PageRead, PageRequest } from "../../log-store.js";
import type { Database } from "../database/database.js";
import { requireWholeNumber } from "../statement.js";
import { blockAt, blockColumns, headAndBlocks, readBlock } from "./block.js";
import { explainFrames, prepareLogQuery, queryFrames } from "./frame-query.js";
import { cutPage } from "./cut-page.js";

const values = {
  topicId: "bigint",
  from: "bigint",
  until: "bigint",
  bytes: "bigint",
  fromBytes: "bigint or null",
  isCut: "boolean",
} as const;

type Values = { readonly [Name in keyof typeof values]: RawBuilder<unknown> };

/** How the two directions differ: which blocks `b` are read beside `cover`, the block with the first record. */
const directions: Readonly<
  Record<
    Direction,
    {
      readonly first: (value: Values) => RawBuilder<unknown>;
      readonly isThere: (value: Values) => RawBuilder<unknown>;
      readonly range: (value: Values) => RawBuilder<unknown>;
      readonly fits: (value: Values) => RawBuilder<unknown>;
      readonly order: RawBuilder<unknown>;
    }
  >
> = {
  forward: {
    first: (value) => value.from,
    isThere: (value) => sql`head."earliestOffset" <= ${value.from}`,
    range: (value) => sql`b.first_offset >= cover.first_offset and b.first_offset < ${value.until}`,
    fits: (value) => sql`b.end_bytes - case when ${value.isCut} then octet_length(b.frames) - 1 else 0 end
      <= ${value.bytes} + coalesce(${value.fromBytes}, cover.start_bytes)`,
    order: sql`b.first_offset`,
  },
  backward: {
    first: (value) => sql`${value.from} - 1`,
    isThere: (value) => sql`${value.from} > head."earliestOffset" and ${value.from} <= head."nextOffset"`,
    // `until` may be inside a block: the range begins at the first offset of that block.
    range: (value) => sql`b.first_offset <= cover.first_offset and b.first_offset >= coalesce((
        ${blockAt(sql`c.first_offset`, value.topicId, value.until)}), head.front)`,
    fits: (value) => sql`b.end_bytes - case when ${value.isCut} then 1 else octet_length(b.frames) end
      >= coalesce(${value.fromBytes}, cover.end_bytes) - ${value.bytes}`,
    order: sql`b.first_offset desc`,
  },
};

/**
 * One page with the head: a row with the head, then a row for each block.
 *
 * Locks: none. Head and blocks come from one snapshot, so both show a trim, a close, a delete or a merge, or neither
 * does (invariant 5).
 * Order and index: `blocks_pkey` over a closed range of offsets that begins at the block with the first record. Never
 * OFFSET, and never LIMIT over an open range.
 * Bounds: the blocks that end within `bytes`, by the running totals stored in them; with `isCut`, the blocks that begin
 * within `bytes`. The first block is always included. `cut-page.ts` removes the unwanted frames of the first and last
 * block. A range below `earliest_offset` returns nothing, even while its blocks are still stored.
 */
function pageStatement(direction: Direction) {
  const { first, isThere, range, fits, order } = directions[direction];
  return prepareLogQuery({
    name: `read_${direction}`,
    values,
    columns: blockColumns,
    build: (value) =>
      headAndBlocks(
        value.topicId,
        sql`block.first_offset, block.next_offset, block.end_bytes, block.frames
from head cross join lateral (
  ${blockAt(sql`c.first_offset, c.end_bytes, c.end_bytes - octet_length(c.frames) as start_bytes`, value.topicId, first(value))}
) as cover cross join lateral (
  select b.first_offset, b.next_offset, b.end_bytes, b.frames from millrace.blocks as b
  where b.topic_id = ${value.topicId} and ${range(value)} and (b.first_offset = cover.first_offset or ${fits(value)})
  order by ${order}
) as block
where ${isThere(value)}`,
      ),
  });
}

const statements = { forward: pageStatement("forward"), backward: pageStatement("backward") };

/**
 * A page below this size may take a part of a block, where a whole block does not fit. A larger page may not: the rest
 * of the block would be read twice.
 */
const cutBelowBytes = 65_536;

export async function readPage(database: Pick<Database, "copy">, request: PageRequest): Promise<PageRead | undefined> {
  const page = cutPage(request);
  const head = await queryFrames(
    database,
    statements[request.direction],
    valuesOf(request),
    (row, { earliestOffset }) => {
      const block = readBlock(row);
      if (block !== undefined) page.add(block, earliestOffset);
    },
  );
  return head && { head, page: page.finish() };
}

/** The plan of this read, from EXPLAIN. */
export function explainPage(database: Database, request: PageRequest): Promise<string> {
  return explainFrames(database, statements[request.direction], valuesOf(request));
}

function valuesOf(request: PageRequest) {
  const { topicId, direction, from, records, bytes, fromBytes } = request;
  // The furthest offset that this read may reach.
  const reach = direction === "forward" ? from + records : from - records;
  const until =
    direction === "forward" ? Math.min(reach, request.until ?? reach) : Math.max(reach, request.until ?? 0, 0);
  return {
    topicId,
    from: requireWholeNumber(from, "from"),
    until: requireWholeNumber(until, "until"),
    bytes: requireWholeNumber(bytes, "bytes"),
    fromBytes: fromBytes ?? null,
    isCut: bytes < cutBelowBytes,
  };
}
