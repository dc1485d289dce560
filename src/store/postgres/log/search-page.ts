import { type RawBuilder, sql } from "kysely";
import type { Direction } from "../../../core/index.js";
import type { PageSearchRead, PageSearchRequest } from "../../log-store.js";
import type { Database } from "../database/database.js";
import { requireWholeNumber } from "../statement.js";
import { blockAt, blockColumns, readBlock } from "./block.js";
import { explainFrames, prepareLogQuery, queryFrames } from "./frame-query.js";
import { bindNeedles } from "./needles.js";
import { searchBlocks } from "./search-blocks.js";
import { headColumns, headNames, heads, noHead } from "../topics/stored-topic.js";

const values = {
  topicId: "bigint",
  from: "bigint",
  rows: "bigint",
  walkBytes: "bigint",
  skipsBlocks: "boolean",
  firstNeedle: "bytea",
  secondNeedle: "bytea",
  thirdNeedle: "bytea",
} as const;

type Values = { readonly [Name in keyof typeof values]: RawBuilder<unknown> };

const directions: Readonly<
  Record<
    Direction,
    {
      /** The first offset to search, and whether it exists. */
      readonly first: (value: Values) => RawBuilder<unknown>;
      readonly isThere: (value: Values) => RawBuilder<unknown>;
      /** The blocks `b` to search, beside `cover`, which contains the first offset. */
      readonly range: (value: Values) => RawBuilder<unknown>;
      readonly fits: (value: Values) => RawBuilder<unknown>;
      /** How far the search went, and over how many bytes. */
      readonly reached: (value: Values) => RawBuilder<unknown>;
      readonly walked: RawBuilder<unknown>;
      readonly isReached: RawBuilder<unknown>;
      readonly order: RawBuilder<unknown>;
    }
  >
> = {
  forward: {
    first: (value) => value.from,
    isThere: (value) => sql`head."earliestOffset" <= ${value.from} and ${value.from} < head."nextOffset"`,
    range: (value) => sql`b.first_offset >= cover.first_offset and b.first_offset < ${value.from} + ${value.rows}`,
    fits: (value) => sql`b.end_bytes <= cover.start_bytes + ${value.walkBytes}`,
    reached: (value) => sql`least(max(b.next_offset), ${value.from} + ${value.rows})`,
    walked: sql`max(b.end_bytes) - min(b.end_bytes - octet_length(b.frames))`,
    isReached: sql`b.first_offset < walk.reached`,
    order: sql`b.first_offset`,
  },
  backward: {
    first: (value) => sql`${value.from} - 1`,
    isThere: (value) => sql`head."earliestOffset" < ${value.from} and ${value.from} <= head."nextOffset"`,
    range: (value) => sql`b.first_offset <= cover.first_offset and b.first_offset >= coalesce((
        ${blockAt(sql`c.first_offset`, value.topicId, sql`greatest(0, ${value.from} - ${value.rows})`)}), head.front)`,
    fits: (value) => sql`b.end_bytes - octet_length(b.frames) >= cover.end_bytes - ${value.walkBytes}`,
    reached: (value) => sql`greatest(min(b.first_offset), ${value.from} - ${value.rows}, head."earliestOffset")`,
    walked: sql`max(b.end_bytes) - min(b.end_bytes - octet_length(b.frames))`,
    isReached: sql`b.next_offset > walk.reached`,
    order: sql`b.first_offset desc`,
  },
};

/**
 * The blocks of a range of offsets that contain some bytes, with the head: a row with the head and how far the search
 * went, then a row for each block. `search-blocks.ts` finds the matching frames in them.
 *
 * A frame contains its key and its attributes unencoded, so a reader that wants one of them searches for its bytes.
 * Other frames may contain these bytes too: the reader filters them out. This needs no column and no index, so it costs
 * appends nothing. With `skipsBlocks` the database searches each block and does not send those without the bytes. Where
 * most blocks contain the bytes, that search saves too little, and is left out.
 *
 * Locks: none; one snapshot. Order and index: `blocks_pkey`, over a closed range of offsets.
 * Bounds: `rows` offsets, or fewer where their blocks exceed `walkBytes` together, by the running totals.
 */
function searchStatement(direction: Direction) {
  const { first, isThere, range, fits, reached, walked, isReached, order } = directions[direction];
  return prepareLogQuery({
    name: `search_${direction}`,
    values,
    columns: ["bigint", "bigint", ...blockColumns],
    build: (value) => sql<object>`
with head as materialized (
  select ${headColumns}, h.front from ${heads} where h.topic_id = ${value.topicId}
), cover as materialized (
  select block.* from head cross join lateral (
    ${blockAt(sql`c.first_offset, c.end_bytes, c.end_bytes - octet_length(c.frames) as start_bytes`, value.topicId, first(value))}
  ) as block
  where ${isThere(value)}
), walk as materialized (
  select run.reached, run.bytes from head cross join cover cross join lateral (
    select ${reached(value)} as reached, ${walked} as bytes from millrace.blocks as b
    where b.topic_id = ${value.topicId} and ${range(value)} and (b.first_offset = cover.first_offset or ${fits(value)})
  ) as run
)
select ${headNames}, walk.reached, walk.bytes, null::bigint, null::bigint, null::bigint, null::bytea
from head left join walk on true
union all
select ${noHead}, null, null, block.first_offset, block.next_offset, block.end_bytes, block.frames
from head cross join cover cross join walk cross join lateral (
  select b.first_offset, b.next_offset, b.end_bytes, b.frames from millrace.blocks as b
  where b.topic_id = ${value.topicId} and ${range(value)} and ${isReached}
    and (not ${value.skipsBlocks} or (position(${value.firstNeedle} in b.frames) > 0
      and position(${value.secondNeedle} in b.frames) > 0 and position(${value.thirdNeedle} in b.frames) > 0))
  order by ${order}
) as block`,
  });
}

const statements = { forward: searchStatement("forward"), backward: searchStatement("backward") };

/** From this share of matching blocks on, searching them in the database skips too few to be worth it. */
const denseFrom = 0.5;

export async function searchPage(
  database: Pick<Database, "copy">,
  request: PageSearchRequest,
): Promise<PageSearchRead | undefined> {
  const search = searchBlocks(request);
  let walk: { readonly reached: number; readonly bytes: number } | undefined;
  const head = await queryFrames(
    database,
    statements[request.direction],
    valuesOf(request),
    (row, { earliestOffset }) => {
      const block = readBlock(row, 2);
      const reached = row.integer(0);
      if (block !== undefined) search.add(block, earliestOffset);
      else if (reached !== null) walk = { reached, bytes: row.integer(1) ?? 0 };
    },
  );
  return head && { head, found: walk && search.finish(walk) };
}

/** The plan of this search, from EXPLAIN. */
export function explainPageSearch(database: Database, request: PageSearchRequest): Promise<string> {
  return explainFrames(database, statements[request.direction], valuesOf(request));
}

function valuesOf({ topicId, from, rows, walkBytes, needles, density = 0 }: PageSearchRequest) {
  return {
    topicId,
    from: requireWholeNumber(from, "from"),
    rows: requireWholeNumber(rows, "rows"),
    walkBytes: requireWholeNumber(walkBytes, "walkBytes"),
    skipsBlocks: density < denseFrom,
    ...bindNeedles(needles),
  };
}
