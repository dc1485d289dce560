import { type RawBuilder, sql } from "kysely";
import { type Rectangle } from "../../../core/index.js";
import type { StatePath, StateSearchRead, StateSearchRequest } from "../../state-store.js";
import { cellRanges } from "./cells.js";
import type { Database } from "../database/database.js";
import { prepareStatement, requireWholeNumber } from "../statement.js";
import { copyOf, explainFrames, queryFrames } from "../log/frame-query.js";
import { bindNeedles } from "../log/needles.js";
import { keyRange } from "./key-range.js";
import { headColumns, heads } from "../topics/stored-topic.js";

const values = {
  topicId: "bigint",
  fromKey: "text",
  isExclusive: "boolean",
  toKey: "text",
  prefix: "text",
  fromOffset: "bigint",
  untilOffset: "bigint",
  lows: "bigint[]",
  highs: "bigint[]",
  isBounded: "boolean",
  // Degrees are texts, since of numbers only whole ones may be written into a statement.
  south: "text",
  west: "text",
  north: "text",
  east: "text",
  firstNeedle: "bytea",
  secondNeedle: "bytea",
  thirdNeedle: "bytea",
  rows: "bigint",
  records: "bigint",
  bytes: "bigint",
  unexpiredAt: "bigint",
} as const;

type Values = { readonly [Name in keyof typeof values]: RawBuilder<unknown> };

/** The rows in each order, from where the last page ended. */
const orders = {
  key: {
    column: sql`key`,
    range: (value: Values) => sql`l.key >= ${value.fromKey} and l.key < ${value.toKey}
      and not (${value.isExclusive} and l.key = ${value.fromKey})`,
  },
  offset: {
    column: sql`"offset"`,
    range: (value: Values) => sql`l."offset" >= ${value.fromOffset} and l."offset" < ${value.untilOffset}`,
  },
};

const isWanted = (
  value: Values,
) => sql`not l.is_tombstone and (l.expire_time is null or l.expire_time > ${value.unexpiredAt})
  and starts_with(l.key, ${value.prefix}) and (not ${value.isBounded} or l.latitude between ${value.south}::float8
  and ${value.north}::float8 and case when ${value.west}::float8 <= ${value.east}::float8
    then l.longitude between ${value.west}::float8 and ${value.east}::float8
    else l.longitude >= ${value.west}::float8 or l.longitude <= ${value.east}::float8 end)
  and position(${value.firstNeedle} in l.frame) > 0 and position(${value.secondNeedle} in l.frame) > 0
  and position(${value.thirdNeedle} in l.frame) > 0`;

/**
 * Where the rows come from. `whole`: walks over the state in order, `rows` at a time, matching or not. `place`: looks
 * up the rectangle's ranges of cells, and takes the first matching rows in order. Each page examines all rows in the
 * rectangle, and no others.
 * Index: `latest_pkey` or `latest_offset` for the whole, `latest_cell` for places.
 */
const paths: Readonly<Record<StatePath, (value: Values, order: keyof typeof orders) => RawBuilder<unknown>>> = {
  whole: (value, order) => sql`
  select l.key, l."offset", l.frame, ${isWanted(value)} as wanted
  from millrace.latest as l
  where l.topic_id = ${value.topicId} and ${orders[order].range(value)}
  order by l.${orders[order].column} limit ${value.rows}`,
  place: (value, order) => sql`
  select l.key, l."offset", l.frame, true as wanted
  from unnest(${value.lows}, ${value.highs}) as cells (low, high) cross join lateral (
    select * from millrace.latest as l
    where l.topic_id = ${value.topicId} and l.cell between cells.low and cells.high
    -- OFFSET 0 keeps the planner from using another index for the conditions below.
    offset 0
  ) as l
  where ${orders[order].range(value)} and ${isWanted(value)}
  order by l.${orders[order].column} limit ${value.rows}`,
};

/**
 * A page of matching records with the head, as one row. Locks: none; both come from one snapshot.
 *
 * Bounds: examines `rows` rows, and returns up to `records` matching ones and `bytes`, but always the first.
 */
function searchStatement(path: StatePath, order: keyof typeof orders) {
  const { column } = orders[order];
  return prepareStatement({
    values,
    build: (value) => sql<object>`
with looked_at as materialized (${paths[path](value, order)}
), sized as (
  select key, "offset", frame, row_number() over run as place, sum(octet_length(frame)) over run as end_bytes
  from looked_at where wanted window run as (order by ${column} rows unbounded preceding)
), kept as (
  select key, "offset", frame, place from sized
  where place <= ${value.records} and (place = 1 or end_bytes <= ${value.bytes})
), counted as (
  select (select count(*) from looked_at) as rows, (select count(*) from sized) as found, (select count(*) from kept) as kept
), reached as (
  select key, "offset" from kept where (select found > kept from counted)
  union all
  select key, "offset" from looked_at where (select found = kept and rows >= ${value.rows} from counted)
)
select ${headColumns}, (select kept from counted) as records,
  (select found > kept from counted) as "isCut", (select max(key) from reached) as "reachedKey",
  (select max("offset") from reached) as "reachedOffset",
  (select string_agg(frame, '' order by place) from kept) as frames
from ${heads}
where h.topic_id = ${value.topicId}`,
  });
}

const statements = {
  whole: { key: searchStatement("whole", "key"), offset: searchStatement("whole", "offset") },
  place: { key: searchStatement("place", "key"), offset: searchStatement("place", "offset") },
};

const everywhere: Rectangle = { south: -90, west: -180, north: 90, east: 180 };

export async function searchState(
  database: Database,
  request: StateSearchRequest,
): Promise<StateSearchRead | undefined> {
  const path = request.path ?? (await choosePath(database, request));
  const statement = statements[path][request.order.by];
  let found: Omit<StateSearchRead, "head"> | undefined;
  const head = await queryFrames(database, statement, valuesOf(request, path), (row) => {
    const key = row.text(2);
    const offset = row.integer(3);
    const frames = row.bytes(4);
    found = {
      path,
      isCut: row.flag(1),
      page: frames === null ? undefined : { frames: copyOf(frames), records: row.integer(0) ?? 0 },
      reached: key === null || offset === null ? undefined : { key, offset },
    };
  });
  return head && found && { head, ...found };
}

/** The plan of this search, from EXPLAIN. */
export async function explainStateSearch(database: Database, request: StateSearchRequest): Promise<string> {
  const path = request.path ?? (await choosePath(database, request));
  return explainFrames(database, statements[path][request.order.by], valuesOf(request, path));
}

function valuesOf(request: StateSearchRequest, path: StatePath) {
  const { order, rectangle, needles } = request;
  const isByKey = order.by === "key";
  const records = requireWholeNumber(request.records, "records");
  const { south, west, north, east } = rectangle ?? everywhere;
  return {
    topicId: request.topicId,
    ...keyRange(request.prefix, isByKey ? order.after : undefined),
    prefix: request.prefix,
    fromOffset: isByKey ? 0 : order.from,
    untilOffset: isByKey ? 0 : order.until,
    ...encodeRanges(path === "place" ? rectangle : undefined),
    isBounded: rectangle !== undefined,
    south: String(south),
    west: String(west),
    north: String(north),
    east: String(east),
    ...bindNeedles(needles),
    // One row more than wanted tells whether more are left.
    rows: path === "place" ? records + 1 : requireWholeNumber(request.rows, "rows"),
    records,
    bytes: requireWholeNumber(request.bytes, "bytes"),
    unexpiredAt: request.unexpiredAt ?? 0,
  };
}

/**
 * Whether a rectangle's cells have few enough places to look them up for each page. K places in pages of 1000 are
 * examined K / 1000 times, so up to K * K / 1000 rows in all. That must not exceed one walk over the whole table of
 * `reltuples` rows (-1 before the first ANALYZE). No locks. Index: `latest_cell`.
 */
const countPlaces = prepareStatement({
  values: { topicId: "bigint", lows: "bigint[]", highs: "bigint[]" },
  build: (value) => sql<{ isFew: boolean }>`
with few as (
  select sqrt(1000 * greatest(10000, reltuples))::bigint as places_max
  from pg_class where oid = 'millrace.latest'::regclass
), found as (
  select count(*) as places from (
    select 1 from unnest(${value.lows}, ${value.highs}) as cells (low, high) cross join lateral (
      select 1 from millrace.latest as l
      where l.topic_id = ${value.topicId} and l.cell between cells.low and cells.high
    ) as place
    limit (select places_max + 1 from few)
  ) as places
)
select found.places <= few.places_max as "isFew" from few, found`,
});

/** Looks up few places for each page; walks over the whole once for many. */
async function choosePath(
  database: Database,
  { topicId, rectangle }: Pick<StateSearchRequest, "topicId" | "rectangle">,
): Promise<StatePath> {
  if (rectangle === undefined) return "whole";
  const [row] = await database.run(countPlaces, { topicId, ...encodeRanges(rectangle) });
  return row?.isFew === true ? "place" : "whole";
}

/** The ranges of cells, in the text form of Postgres arrays. */
function encodeRanges(rectangle: Rectangle | undefined): { readonly lows: string; readonly highs: string } {
  const ranges = rectangle === undefined ? [] : cellRanges(rectangle);
  return {
    lows: `{${ranges.map(({ low }) => low).join(",")}}`,
    highs: `{${ranges.map(({ high }) => high).join(",")}}`,
  };
}
