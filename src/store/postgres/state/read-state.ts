import { type RawBuilder, sql } from "kysely";
import type {
  StateChangesRequest,
  StateKeysRead,
  StateKeysRequest,
  StateListRequest,
  StatePageRead,
} from "../../state-store.js";
import type { Database } from "../database/database.js";
import { prepareStatement, requireWholeNumber, type Statement } from "../statement.js";
import { copyOf, explainFrames, queryFrames } from "../log/frame-query.js";
import { keyRange } from "./key-range.js";
import { headColumns, heads } from "../topics/stored-topic.js";

/**
 * A part of a topic's state with the head, as one row. Locks: none; both come from one snapshot, so the state matches
 * the head.
 *
 * Bounds: `limit` rows, found by the index in the wanted order; of those, as many as fit into `bytes`, but always the
 * first. Keyset and LIMIT are right here, even over offsets, since the offsets of a state have gaps.
 * Order: the window keeps the order of its subquery, and `string_agg` takes rows in the window's order. Another sort
 * would make it a third slower. So would sums over peers (RANGE), and there are no peers.
 */
function stateQuery(
  topicId: RawBuilder<number>,
  bytes: RawBuilder<number>,
  rows: {
    readonly where: RawBuilder<unknown>;
    readonly order: RawBuilder<unknown>;
    readonly limit: RawBuilder<number>;
  },
): RawBuilder<object> {
  return sql<object>`
select ${headColumns}, page.records, page."lastKey", page."lastOffset", page.frames
from ${heads} left join lateral (
  select count(*) as records, max(key) as "lastKey", max("offset") as "lastOffset",
    string_agg(frame, '') as frames
  from (
    select key, "offset", frame, row_number() over run as place, sum(octet_length(frame)) over run as end_bytes
    from (
      select key, "offset", frame from millrace.latest
      where topic_id = ${topicId} and ${rows.where}
      order by ${rows.order} limit ${rows.limit}
    ) as found
    window run as (order by ${rows.order} rows unbounded preceding)
  ) as sized
  where place = 1 or end_bytes <= ${bytes}
) as page on true
where h.topic_id = ${topicId}`;
}

const isUnexpired = (at: RawBuilder<number>) => sql`(expire_time is null or expire_time > ${at})`;

/**
 * All or nothing: the sizes are summed first, and frames that do not fit are not read. `octet_length` does not read a
 * frame that is stored out of line. Index: `latest_pkey`.
 */
const selectKeys = prepareStatement({
  values: { topicId: "bigint", keys: "text[]", bytes: "bigint", unexpiredAt: "bigint" },
  build: (value) => sql<object>`
with found as materialized (
  select key, octet_length(frame) as bytes from millrace.latest
  where topic_id = ${value.topicId} and key = any(${value.keys}) and not is_tombstone and ${isUnexpired(value.unexpiredAt)}
), sized as materialized (
  select count(*) as records, coalesce(sum(bytes), 0)::bigint as bytes from found
)
select ${headColumns}, sized.records, sized.bytes, (
    select string_agg(latest.frame, '' order by latest.key)
    from millrace.latest join found on latest.topic_id = ${value.topicId} and latest.key = found.key
    where sized.bytes <= ${value.bytes}
  ) as frames
from ${heads} cross join sized
where h.topic_id = ${value.topicId}`,
});

/** A page of keys with a prefix, without tombstones: a range of `latest_pkey`, which compares by bytes. */
const selectList = prepareStatement({
  values: {
    topicId: "bigint",
    fromKey: "text",
    isExclusive: "boolean",
    toKey: "text",
    bytes: "bigint",
    records: "bigint",
    unexpiredAt: "bigint",
  },
  build: (value) =>
    stateQuery(value.topicId, value.bytes, {
      where: sql`key >= ${value.fromKey} and key < ${value.toKey}
        and not (${value.isExclusive} and key = ${value.fromKey}) and not is_tombstone and ${isUnexpired(value.unexpiredAt)}`,
      order: sql`key`,
      limit: value.records,
    }),
});

/**
 * Changes in their order. It examines `records` rows, wanted or not: of millions of keys few may have the prefix, and a
 * page must not walk over all of them. `lastOffset` tells how far it went.
 * Index: `latest_offset`.
 */
const selectChanges = prepareStatement({
  values: {
    topicId: "bigint",
    from: "bigint",
    tombstonesFrom: "bigint",
    prefix: "text",
    bytes: "bigint",
    records: "bigint",
    unexpiredAt: "bigint",
  },
  build: (value) => sql<object>`
with looked_at as materialized (
  select key, "offset", frame, starts_with(key, ${value.prefix}) and ("offset" >= ${value.tombstonesFrom}
    or (not is_tombstone and ${isUnexpired(value.unexpiredAt)})) as wanted
  from millrace.latest where topic_id = ${value.topicId} and "offset" >= ${value.from}
  order by "offset" limit ${value.records}
), sized as (
  select "offset", frame, row_number() over run as place, sum(octet_length(frame)) over run as end_bytes
  from looked_at where wanted window run as (order by "offset" rows unbounded preceding)
), kept as (
  select "offset", frame from sized where place = 1 or end_bytes <= ${value.bytes}
)
select ${headColumns}, page.records, ''::text as "lastKey", page."lastOffset", page.frames
from ${heads} left join lateral (
  select (select count(*) from kept) as records,
    case when (select count(*) from kept) < (select count(*) from sized) then (select max("offset") from kept)
      else (select max("offset") from looked_at) end as "lastOffset",
    coalesce((select string_agg(frame, '') from kept), ''::bytea) as frames
) as page on true
where h.topic_id = ${value.topicId}`,
});

export async function readState(database: Database, request: StateKeysRequest): Promise<StateKeysRead | undefined> {
  const { topicId, keys, bytes, unexpiredAt = 0 } = request;
  let found: Pick<StateKeysRead, "records" | "bytes" | "frames"> | undefined;
  const head = await queryFrames(database, selectKeys, { topicId, keys, bytes, unexpiredAt }, (row) => {
    const size = row.integer(1) ?? 0;
    const frames = size > bytes ? undefined : copyOf(row.bytes(2) ?? Buffer.alloc(0));
    found = { records: row.integer(0) ?? 0, bytes: size, frames };
  });
  return head && found && { head, ...found };
}

export async function listState(database: Database, request: StateListRequest): Promise<StatePageRead | undefined> {
  const { topicId, prefix, after, records, bytes, unexpiredAt = 0 } = request;
  const values = {
    topicId,
    ...keyRange(prefix, after),
    records: requireWholeNumber(records, "records"),
    bytes: requireWholeNumber(bytes, "bytes"),
    unexpiredAt,
  };
  return readStatePage(database, selectList, values);
}

export async function readStateChanges(
  database: Database,
  request: StateChangesRequest,
): Promise<StatePageRead | undefined> {
  return readStatePage(database, selectChanges, { unexpiredAt: 0, ...request });
}

/** The plan of a page of changes, from EXPLAIN. */
export function explainStateChanges(database: Database, request: StateChangesRequest): Promise<string> {
  return explainFrames(database, selectChanges, { unexpiredAt: 0, ...request });
}

async function readStatePage<Values extends Readonly<Record<keyof Values, number | boolean | string>>>(
  database: Database,
  statement: Statement<Values, unknown>,
  values: Values,
): Promise<StatePageRead | undefined> {
  let page: StatePageRead["page"];
  const head = await queryFrames(database, statement, values, (row) => {
    const lastKey = row.text(1);
    const lastOffset = row.integer(2);
    const frames = row.bytes(3);
    if (lastKey === null || lastOffset === null || frames === null) return;
    page = { frames: copyOf(frames), records: row.integer(0) ?? 0, lastKey, lastOffset };
  });
  return head && { head, page };
}
