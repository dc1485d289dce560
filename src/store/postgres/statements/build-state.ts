import { sql } from "kysely";
import type { BuildChange, BuildOutcome, BuildStep, FindChanges } from "../../topic-store.js";
import { cellOf } from "../cells.js";
import type { Database, Session } from "../database/database.js";
import { prepareStatement } from "../statement.js";

/** Topics whose state is being built. No locks. Index: none; `state_builds` holds a row for each of them, and no other. */
const selectBuilds = prepareStatement({
  values: { count: "bigint" },
  build: (value) => sql<{ topicId: number }>`
select topic_id as "topicId" from millrace.state_builds order by topic_id limit ${value.count}`,
});

interface RunRow {
  readonly nextOffset: number;
  readonly earliestOffset: number;
  readonly records: number;
  /** Null: there is nothing more below `nextOffset`. */
  readonly frames: string | null;
}

/**
 * Takes a build, and reads the run of records below what is in the state already.
 *
 * Locks: the build's row, skipped when another node is at it: no row. Whoever holds it holds it for a step.
 * Index: `state_builds_pkey`, `topic_heads_pkey`, `records_pkey` over a closed range. Bytes are bounded by the running
 * totals; the record below `next_offset` is always in.
 */
const selectRun = prepareStatement({
  name: "build_state_read",
  values: { topicId: "bigint", records: "bigint", bytes: "bigint" },
  build: (value) => sql<RunRow>`
with build as materialized (
  select b.next_offset from millrace.state_builds as b where b.topic_id = ${value.topicId} for update skip locked
)
select build.next_offset as "nextOffset", h.earliest_offset as "earliestOffset", run.records, run.frames
from build join millrace.topic_heads as h on h.topic_id = ${value.topicId} left join lateral (
  select count(*) as records,
    translate(encode(string_agg(frame, '' order by "offset"), 'base64'), E'\\n', '') as frames
  from (
    select "offset", frame from millrace.records
    where topic_id = ${value.topicId} and "offset" >= h.earliest_offset
      and "offset" >= build.next_offset - ${value.records} and "offset" < build.next_offset
      and ("offset" = build.next_offset - 1 or end_bytes - octet_length(frame) >= (
        select last.end_bytes from millrace.records as last
        where last.topic_id = ${value.topicId} and last."offset" = build.next_offset - 1) - ${value.bytes})
  ) as found
) as run on true`,
});

/**
 * Puts a run into the state, and moves the build on. A key that is there already is newer, be it from an append or from
 * a run before this one: so nothing is ever overwritten, and which of them comes first does not matter. A record that was
 * trimmed since the run was read is left out, as all below it will be.
 *
 * Locks: the keys that it adds, in the order in which appends take theirs, so that the two cannot wait for each other;
 * not the head: appends of other keys go on. The build's row is held already.
 * Index: `records_pkey`, `latest_pkey`, `state_builds_pkey`.
 */
const insertRun = prepareStatement({
  name: "build_state_write",
  values: { topicId: "bigint", first: "bigint", state: "jsonb" },
  build: (value) => sql<object>`
with kept as (
  insert into millrace.latest
    (topic_id, key, "offset", is_tombstone, frame, latitude, longitude, cell, removed_time, expire_time)
  select r.topic_id, s.key, r."offset", s."isTombstone", r.frame, s.latitude, s.longitude, s.cell, s."removedTime",
    s."expiryMicros"
  from jsonb_to_recordset(${value.state}) as s (key text, index int, "isTombstone" boolean, latitude float8,
      longitude float8, cell bigint, "removedTime" bigint, "expiryMicros" bigint)
    join millrace.records as r on r.topic_id = ${value.topicId} and r."offset" = ${value.first} + s.index
  order by s.key collate "C"
  on conflict (topic_id, key) do nothing
)
update millrace.state_builds set next_offset = ${value.first} where topic_id = ${value.topicId}`,
});

/**
 * Ends a build that came down to what is kept. Records that were trimmed below it may have been tombstones: nobody may
 * watch on from there.
 *
 * Locks: the head's row, behind that of the build, which is held already; no append holds the head and waits for a build.
 * Index: `topic_heads_pkey`, `state_builds_pkey`.
 */
const finishBuild = prepareStatement({
  values: { topicId: "bigint" },
  build: (value) => sql<object>`
with finished as (
  delete from millrace.state_builds where topic_id = ${value.topicId} returning topic_id, from_offset
)
update millrace.topic_heads as h set tombstones_from = least(h.earliest_offset, finished.from_offset)
from finished where h.topic_id = finished.topic_id`,
});

export async function findBuilds(database: Database, count: number): Promise<readonly number[]> {
  const rows = await database.run(selectBuilds, { count });
  return rows.map((row) => row.topicId);
}

/**
 * One step, from the newest records to the oldest. Each is a transaction: what is in the state and how far the build is
 * change together, so that a node that dies in it has done nothing, and any other goes on.
 */
export async function buildState(database: Database, step: BuildStep, changesIn: FindChanges): Promise<BuildOutcome> {
  const { topicId, records, bytes } = step;
  return database.transaction(async (session) => {
    const [run] = await session.run(selectRun, { topicId, records, bytes });
    if (run === undefined) return "elsewhere";
    if (run.frames === null) {
      await session.run(finishBuild, { topicId });
      return "whole";
    }
    const changes = changesIn(Buffer.from(run.frames, "base64"), run.records);
    await writeRun(session, topicId, run.nextOffset - run.records, changes);
    return "moved";
  });
}

async function writeRun(
  session: Session,
  topicId: number,
  first: number,
  changes: readonly BuildChange[],
): Promise<void> {
  const state = changes.map(({ key, index, isTombstone, place, timeMicros, expiryMicros }) => ({
    key,
    index,
    isTombstone,
    ...(isTombstone
      ? { removedTime: timeMicros }
      : expiryMicros !== undefined && { removedTime: expiryMicros, expiryMicros }),
    ...(place !== undefined && { ...place, cell: cellOf(place) }),
  }));
  await session.run(insertRun, { topicId, first, state: JSON.stringify(state) });
}
