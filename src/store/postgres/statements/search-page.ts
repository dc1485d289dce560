import { type RawBuilder, sql } from "kysely";
import { type Direction } from "../../../core/index.js";
import { type Head, needlesMax, type PageSearchRead, type PageSearchRequest } from "../../topic-store.js";
import { decodeCopyRow } from "../database/copy-row.js";
import type { Database } from "../database/database.js";
import { inlineValues, prepareStatement, requireWholeNumber } from "../statement.js";
import { copiedHeadFields, copiedInteger, decodeCopiedHead } from "./copied-head.js";
import { explainPlan } from "./explain-plan.js";
import { decodeWithSpare } from "./read-page.js";
import { headColumns } from "./stored-topic.js";

interface SearchRow extends Head {
  /** How many offsets were looked at. */
  readonly walked: number;
  readonly records: number;
  /** The first record that was found and did not fit; null when all did. */
  readonly cutAt: number | null;
  /** Null: none was found. */
  readonly frames: string | null;
}

const values = {
  topicId: "bigint",
  from: "bigint",
  rows: "bigint",
  walkBytes: "bigint",
  records: "bigint",
  bytes: "bigint",
  firstNeedle: "bytea",
  secondNeedle: "bytea",
  thirdNeedle: "bytea",
} as const;

interface Shape {
  readonly frames: (aggregate: RawBuilder<unknown>) => RawBuilder<unknown>;
  readonly wrap: (select: RawBuilder<SearchRow>) => RawBuilder<SearchRow>;
}

/** As in `read-page.ts`. */
const copied: Shape = { frames: (frames) => frames, wrap: (select) => sql`copy (${select}) to stdout (format binary)` };
const encoded: Shape = {
  frames: (frames) => sql`translate(encode(${frames}, 'base64'), E'\\n', '')`,
  wrap: (select) => select,
};

type Values = { readonly [Name in keyof typeof values]: RawBuilder<unknown> };

const ranges: Readonly<
  Record<
    Direction,
    {
      readonly where: (value: Values) => RawBuilder<unknown>;
      readonly order: RawBuilder<unknown>;
      /** The lowest and the highest offset that were asked for. */
      readonly first: (value: Values) => RawBuilder<unknown>;
      readonly last: (value: Values) => RawBuilder<unknown>;
    }
  >
> = {
  forward: {
    where: (value) => sql`h.earliest_offset <= ${value.from}
      and r."offset" >= ${value.from} and r."offset" < ${value.from} + walk.rows`,
    order: sql`"offset"`,
    first: (value) => sql`${value.from}`,
    last: (value) => sql`least(${value.from} + ${value.rows}, h.next_offset) - 1`,
  },
  backward: {
    where: (value) => sql`r."offset" >= h.earliest_offset
      and r."offset" >= ${value.from} - walk.rows and r."offset" < ${value.from}`,
    order: sql`"offset" desc`,
    first: (value) => sql`greatest(${value.from} - ${value.rows}, h.earliest_offset)`,
    last: (value) => sql`${value.from} - 1`,
  },
};

/**
 * The frames of a run of offsets that hold some bytes, and the head beside them, as one row.
 *
 * A frame holds its key and its attributes as they are, so whoever wants one of them wants frames that hold its bytes;
 * others may hold them too, and are for the reader to leave out. No column and no index is kept for it, and appends do
 * not pay: rows that are not wanted cost a walk here, and are not copied, sent or decoded.
 *
 * Locks: none; one snapshot. Order and index: `records_pkey`, over a closed range of offsets.
 * Bounds: so many rows looked at, and fewer where they have more than so many bytes together, by the running totals at
 * both ends; of what is found so many records and bytes, but always the first. A needle that is
 * empty is in every frame, and found at once.
 */
function searchStatement(direction: Direction, shape: Shape) {
  const { where, order, first, last } = ranges[direction];
  const name = `search_page_${direction}`;
  return prepareStatement({
    name,
    values,
    build: (value) =>
      shape.wrap(sql<SearchRow>`
select ${headColumns}, walk.rows as walked, page.records, page."cutAt", page.frames
from millrace.topic_heads as h cross join lateral (
  select case when bytes > ${value.walkBytes} then greatest(1, ${value.rows} * ${value.walkBytes} / bytes)
    else ${value.rows} end as rows
  from (
    select (
      select r.end_bytes from millrace.records as r where r.topic_id = h.topic_id and r."offset" = ${last(value)}
    ) - (
      select r.end_bytes from millrace.records as r where r.topic_id = h.topic_id and r."offset" = ${first(value)}
    ) as bytes
  ) as run
) as walk left join lateral (
  with found as (
    select "offset", frame, row_number() over run as place, sum(octet_length(frame)) over run as end_bytes
    from millrace.records as r
    where r.topic_id = h.topic_id and ${where(value)} and position(${value.firstNeedle} in r.frame) > 0
      and position(${value.secondNeedle} in r.frame) > 0 and position(${value.thirdNeedle} in r.frame) > 0
    window run as (order by ${order})
  ), kept as (
    select place, frame from found where place <= ${value.records} and (place = 1 or end_bytes <= ${value.bytes})
  )
  select (select count(*) from kept) as records,
    (select "offset" from found where place = 1 + (select count(*) from kept)) as "cutAt",
    ${shape.frames(sql`(select string_agg(frame, '' order by place) from kept)`)} as frames
) as page on true
where h.topic_id = ${value.topicId}`),
  });
}

const statements = {
  postgres: { forward: searchStatement("forward", copied), backward: searchStatement("backward", copied) },
  embedded: { forward: searchStatement("forward", encoded), backward: searchStatement("backward", encoded) },
};

const nothing = Buffer.alloc(0);

export async function searchPage(database: Database, request: PageSearchRequest): Promise<PageSearchRead | undefined> {
  const statement = statements[database.kind][request.direction];
  const searchValues = valuesOf(request);
  switch (database.kind) {
    case "postgres": {
      const fields = decodeCopyRow(await database.copy(inlineValues(statement, searchValues)));
      if (fields === undefined) return undefined;
      const facts = {
        walked: copiedInteger(fields, copiedHeadFields) ?? 0,
        records: copiedInteger(fields, copiedHeadFields + 1) ?? 0,
        cutAt: copiedInteger(fields, copiedHeadFields + 2),
      };
      return toSearchRead(decodeCopiedHead(fields), facts, fields[copiedHeadFields + 3] ?? null, request);
    }
    case "embedded": {
      const [row] = await database.run(statement, searchValues);
      if (row === undefined) return undefined;
      const { walked, records, cutAt, frames, ...head } = row;
      return toSearchRead(head, { walked, records, cutAt }, frames === null ? null : decodeWithSpare(frames), request);
    }
    default:
      return database.kind satisfies never;
  }
}

/** The plan of such a search, as EXPLAIN tells it. */
export function explainPageSearch(database: Database, request: PageSearchRequest): Promise<string> {
  // COPY cannot be explained; the query in it is the same.
  return explainPlan(database, statements.embedded[request.direction], valuesOf(request));
}

function valuesOf(request: PageSearchRequest) {
  const { needles } = request;
  if (needles.length > needlesMax) throw new RangeError(`A search takes at most ${needlesMax} needles`);
  const [firstNeedle = nothing, secondNeedle = nothing, thirdNeedle = nothing] = needles.map(asBuffer);
  return {
    topicId: requireWholeNumber(request.topicId, "topicId"),
    from: requireWholeNumber(request.from, "from"),
    rows: requireWholeNumber(request.rows, "rows"),
    walkBytes: requireWholeNumber(request.walkBytes, "walkBytes"),
    records: requireWholeNumber(request.records, "records"),
    bytes: requireWholeNumber(request.bytes, "bytes"),
    firstNeedle,
    secondNeedle,
    thirdNeedle,
  };
}

function toSearchRead(
  head: Head,
  { walked, records, cutAt }: Pick<SearchRow, "walked" | "records" | "cutAt">,
  frames: Buffer | null,
  { direction, from }: PageSearchRequest,
): PageSearchRead {
  const isForward = direction === "forward";
  const isThere = isForward ? from >= head.earliestOffset && from < head.nextOffset : from > head.earliestOffset;
  if (!isThere || from > head.nextOffset) return { head, found: undefined };
  const end = isForward ? Math.min(from + walked, head.nextOffset) : Math.max(from - walked, head.earliestOffset);
  const cut = cutAt === null || isForward ? cutAt : cutAt + 1;
  return { head, found: { frames: frames ?? nothing, records, reached: cut ?? end, isCut: cutAt !== null } };
}

/** pg sends a Buffer as it is. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
