import { type RawBuilder, sql } from "kysely";
import type { Head, StateChangesRequest, StateListRequest, StatePageRead } from "../../store.js";
import type { Database } from "../database/database.js";
import { prepareStatement, requireWholeNumber } from "../statement.js";
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

/**
 * Some of a topic's state and the head beside it, as one row. Locks: none; both come from one snapshot, so the state is
 * the one that belongs to that head.
 *
 * Bounds: so many rows, found by the index in the order that is wanted, and of those as many as fit into the bytes, but
 * always the first. Keyset and LIMIT are right here, over offsets too: those of a state have gaps.
 */
function stateQuery(
  topicId: RawBuilder<number>,
  bytes: RawBuilder<number>,
  rows: {
    readonly where: RawBuilder<unknown>;
    readonly order: RawBuilder<unknown>;
    readonly limit: RawBuilder<number>;
  },
): RawBuilder<StateRow> {
  return sql<StateRow>`
select ${headColumns}, page.records, page."lastKey", page."lastOffset", page.frames
from millrace.topic_heads as h left join lateral (
  select count(*) as records, max(key) as "lastKey", max("offset") as "lastOffset",
    translate(encode(string_agg(frame, '' order by place), 'base64'), E'\\n', '') as frames
  from (
    select key, "offset", frame, row_number() over run as place, sum(octet_length(frame)) over run as end_bytes
    from (
      select key, "offset", frame from millrace.latest
      where topic_id = ${topicId} and ${rows.where}
      order by ${rows.order} limit ${rows.limit}
    ) as found
    window run as (order by ${rows.order})
  ) as sized
  where place = 1 or end_bytes <= ${bytes}
) as page on true
where h.topic_id = ${topicId}`;
}

const isUnexpired = (at: RawBuilder<number>) => sql`(expire_time is null or expire_time > ${at})`;

/** Index: `latest_pkey`. */
const selectKeys = prepareStatement({
  name: "read_state",
  values: { topicId: "bigint", keys: "text[]", bytes: "bigint", records: "bigint", unexpiredAt: "bigint" },
  build: (value) =>
    stateQuery(value.topicId, value.bytes, {
      where: sql`key = any(${value.keys}) and not is_tombstone and ${isUnexpired(value.unexpiredAt)}`,
      order: sql`key`,
      limit: value.records,
    }),
});

/** Keys with a prefix are a range of `latest_pkey`, whose collation is that of bytes: from it up to what follows it. */
const selectList = prepareStatement({
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
    stateQuery(value.topicId, value.bytes, {
      where: sql`key >= ${value.fromKey} and key < ${value.toKey}
        and not (${value.isExclusive} and key = ${value.fromKey}) and not is_tombstone and ${isUnexpired(value.unexpiredAt)}`,
      order: sql`key`,
      limit: value.records,
    }),
});

/** Index: `latest_offset`; the prefix is checked on what it gives. */
const selectChanges = prepareStatement({
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
    stateQuery(value.topicId, value.bytes, {
      where: sql`"offset" >= ${value.from} and (not is_tombstone or "offset" >= ${value.tombstonesFrom})
        and ${isUnexpired(value.unexpiredAt)} and starts_with(key, ${value.prefix})`,
      order: sql`"offset"`,
      limit: value.records,
    }),
});

export async function readState(
  database: Database,
  topicId: number,
  keys: readonly string[],
  unexpiredAt = 0,
): Promise<StatePageRead | undefined> {
  const values = { topicId, keys, bytes: Number.MAX_SAFE_INTEGER, records: keys.length, unexpiredAt };
  return toStatePage((await database.run(selectKeys, values))[0]);
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
  return toStatePage((await database.run(selectList, values))[0]);
}

export async function readStateChanges(
  database: Database,
  request: StateChangesRequest,
): Promise<StatePageRead | undefined> {
  return toStatePage((await database.run(selectChanges, { unexpiredAt: 0, ...request }))[0]);
}

/** The plan of a page of changes, as EXPLAIN tells it. */
export function explainStateChanges(database: Database, request: StateChangesRequest): Promise<string> {
  return explainPlan(database, selectChanges, { unexpiredAt: 0, ...request });
}

function toStatePage(row: StateRow | undefined): StatePageRead | undefined {
  if (row === undefined) return undefined;
  const { records, lastKey, lastOffset, frames, ...head } = row;
  if (lastKey === null || lastOffset === null || frames === null) return { head, page: undefined };
  return { head, page: { frames: Buffer.from(frames, "base64"), records, lastKey, lastOffset } };
}
