import { type RawBuilder, sql } from "kysely";
import type { Head, StateChangesRequest, StateKeysRead, StateListRequest, StatePageRead } from "../../topic-store.js";
import { decodeCopyRow } from "../database/copy-row.js";
import type { Database } from "../database/database.js";
import { inlineValues, prepareStatement, requireWholeNumber, type Statement } from "../statement.js";
import { copiedHeadFields, copiedInteger, decodeCopiedHead } from "./copied-head.js";
import { explainPlan } from "./explain-plan.js";
import { keyRange } from "./key-range.js";
import { headColumns } from "./stored-topic.js";

interface StateRow extends Head {
  readonly records: number;
  /** Null, as those below: there is nothing. */
  readonly lastKey: string | null;
  readonly lastOffset: number | null;
  readonly frames: string | null;
}

interface Shape {
  readonly frames: (aggregate: RawBuilder<unknown>) => RawBuilder<unknown>;
  readonly wrap: (select: RawBuilder<StateRow>) => RawBuilder<StateRow>;
}

/**
 * As in `read-page.ts`. Measured at 1000 records of 130 B a page, thousand records/s: 625 by COPY, 210 by base64. A page
 * of one record takes longer by COPY, which is planned each time: 0.44 ms for 0.36.
 */
const copied: Shape = { frames: (frames) => frames, wrap: (select) => sql`copy (${select}) to stdout (format binary)` };
const encoded: Shape = {
  frames: (frames) => sql`translate(encode(${frames}, 'base64'), E'\\n', '')`,
  wrap: (select) => select,
};

/**
 * Some of a topic's state and the head beside it, as one row. Locks: none; both come from one snapshot, so the state is
 * the one that belongs to that head.
 *
 * Bounds: so many rows, found by the index in the order that is wanted, and of those as many as fit into the bytes, but
 * always the first. Keyset and LIMIT are right here, over offsets too: those of a state have gaps.
 * Order: the window keeps the order of its subquery, and `string_agg` takes rows in the order of its own; sorted once more
 * it is a third slower, and so are sums over peers, which there are none of.
 */
function stateQuery(
  shape: Shape,
  topicId: RawBuilder<number>,
  bytes: RawBuilder<number>,
  rows: {
    readonly where: RawBuilder<unknown>;
    readonly order: RawBuilder<unknown>;
    readonly limit: RawBuilder<number>;
  },
): RawBuilder<StateRow> {
  return shape.wrap(sql<StateRow>`
select ${headColumns}, page.records, page."lastKey", page."lastOffset", page.frames
from millrace.topic_heads as h left join lateral (
  select count(*) as records, max(key) as "lastKey", max("offset") as "lastOffset",
    ${shape.frames(sql`string_agg(frame, '')`)} as frames
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
where h.topic_id = ${topicId}`);
}

const isUnexpired = (at: RawBuilder<number>) => sql`(expire_time is null or expire_time > ${at})`;

interface KeysRow extends Head {
  readonly records: number;
  readonly bytes: number;
  /** Null: there is nothing, or too much. */
  readonly frames: string | null;
}

/**
 * All or nothing: what does not fit is reckoned up, and not read. Index: `latest_pkey`. Not by COPY: few records, and often
 * one. `octet_length` reads no frame that is stored apart.
 */
const selectKeys = prepareStatement({
  name: "read_state",
  values: { topicId: "bigint", keys: "text[]", bytes: "bigint", unexpiredAt: "bigint" },
  build: (value) => sql<KeysRow>`
with found as materialized (
  select key, octet_length(frame) as bytes from millrace.latest
  where topic_id = ${value.topicId} and key = any(${value.keys}) and not is_tombstone and ${isUnexpired(value.unexpiredAt)}
), sized as materialized (
  select count(*) as records, coalesce(sum(bytes), 0)::bigint as bytes from found
)
select ${headColumns}, sized.records, sized.bytes, (
    select ${encoded.frames(sql`string_agg(latest.frame, '' order by latest.key)`)}
    from millrace.latest join found on latest.topic_id = ${value.topicId} and latest.key = found.key
    where sized.bytes <= ${value.bytes}
  ) as frames
from millrace.topic_heads as h cross join sized
where h.topic_id = ${value.topicId}`,
});

/** Keys with a prefix are a range of `latest_pkey`, whose collation is that of bytes: from it up to what follows it. */
function listPage(shape: Shape) {
  return prepareStatement({
    name: "list_state",
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
      stateQuery(shape, value.topicId, value.bytes, {
        where: sql`key >= ${value.fromKey} and key < ${value.toKey}
        and not (${value.isExclusive} and key = ${value.fromKey}) and not is_tombstone and ${isUnexpired(value.unexpiredAt)}`,
        order: sql`key`,
        limit: value.records,
      }),
  });
}

/**
 * Changes in their order. So many rows are looked at, whether they are wanted or not: of a state with millions of keys few
 * may have the prefix, and a page must not walk over all of them. What was looked at is told by `lastOffset`.
 * Index: `latest_offset`.
 */
function changesPage(shape: Shape) {
  return prepareStatement({
    name: "read_state_changes",
    values: {
      topicId: "bigint",
      from: "bigint",
      tombstonesFrom: "bigint",
      prefix: "text",
      bytes: "bigint",
      records: "bigint",
      unexpiredAt: "bigint",
    },
    build: (value) =>
      shape.wrap(sql<StateRow>`
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
from millrace.topic_heads as h left join lateral (
  select (select count(*) from kept) as records,
    case when (select count(*) from kept) < (select count(*) from sized) then (select max("offset") from kept)
      else (select max("offset") from looked_at) end as "lastOffset",
    ${shape.frames(sql`coalesce((select string_agg(frame, '') from kept), ''::bytea)`)} as frames
) as page on true
where h.topic_id = ${value.topicId}`),
  });
}

const statements = {
  postgres: { list: listPage(copied), changes: changesPage(copied) },
  embedded: { list: listPage(encoded), changes: changesPage(encoded) },
};

export async function readState(
  database: Database,
  topicId: number,
  keys: readonly string[],
  bytes: number,
  unexpiredAt = 0,
): Promise<StateKeysRead | undefined> {
  const [row] = await database.run(selectKeys, { topicId, keys, bytes, unexpiredAt });
  if (row === undefined) return undefined;
  const { records, bytes: found, frames, ...head } = row;
  return { head, records, bytes: found, frames: found > bytes ? undefined : Buffer.from(frames ?? "", "base64") };
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
  return readStatePage(database, statements[database.kind].list, values);
}

export async function readStateChanges(
  database: Database,
  request: StateChangesRequest,
): Promise<StatePageRead | undefined> {
  return readStatePage(database, statements[database.kind].changes, { unexpiredAt: 0, ...request });
}

/** The plan of a page of changes, as EXPLAIN tells it. */
export function explainStateChanges(database: Database, request: StateChangesRequest): Promise<string> {
  return explainPlan(database, statements.embedded.changes, { unexpiredAt: 0, ...request });
}

async function readStatePage<Values extends Readonly<Record<keyof Values, number | boolean | string>>>(
  database: Database,
  statement: Statement<Values, StateRow>,
  values: Values,
): Promise<StatePageRead | undefined> {
  switch (database.kind) {
    case "postgres": {
      const fields = decodeCopyRow(await database.copy(inlineValues(statement, values)));
      return fields && decodeStatePage(fields);
    }
    case "embedded":
      return toStatePage((await database.run(statement, values))[0]);
    default:
      return database.kind satisfies never;
  }
}

/** The columns in their order: those of the head, then the page's. */
function decodeStatePage(fields: readonly (Buffer | null)[]): StatePageRead {
  const head = decodeCopiedHead(fields);
  const records = copiedInteger(fields, copiedHeadFields) ?? 0;
  const lastKey = fields[copiedHeadFields + 1];
  const lastOffset = copiedInteger(fields, copiedHeadFields + 2);
  const frames = fields[copiedHeadFields + 3];
  if (!lastKey || lastOffset === null || !frames) return { head, page: undefined };
  return { head, page: { frames, records, lastKey: lastKey.toString(), lastOffset } };
}

function toStatePage(row: StateRow | undefined): StatePageRead | undefined {
  if (row === undefined) return undefined;
  const { records, lastKey, lastOffset, frames, ...head } = row;
  if (lastKey === null || lastOffset === null || frames === null) return { head, page: undefined };
  return { head, page: { frames: Buffer.from(frames, "base64"), records, lastKey, lastOffset } };
}
