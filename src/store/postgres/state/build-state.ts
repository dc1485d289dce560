import { sql } from "kysely";
import { endOfFrame } from "../../../core/index.js";
import type { BuildChange, BuildOutcome, BuildStep, FindChanges } from "../../state-store.js";
import { cellOf } from "./cells.js";
import type { Database } from "../database/database.js";
import { tables } from "../schema.js";
import { prepareStatement } from "../statement.js";
import { readPage } from "../log/read-page.js";

/**
 * Topics whose state is being built. No locks. Index: none; `state_builds` has a row for each of them, and no others.
 */
const selectBuilds = prepareStatement({
  values: { count: "bigint" },
  build: (value) =>
    tables.selectFrom("state_builds").select("topic_id as topicId").orderBy("topic_id").limit(value.count),
});

/**
 * Takes a build for a step. Locks: its row. No row: another node has locked it.
 * Index: `state_builds_pkey`.
 */
const takeBuild = prepareStatement({
  name: "build_state_take",
  values: { topicId: "bigint" },
  build: (value) =>
    tables
      .selectFrom("state_builds")
      .where("topic_id", "=", value.topicId)
      .select("next_offset as nextOffset")
      .forUpdate()
      .skipLocked(),
});

/**
 * Adds a run of records to the state, and advances the build. An existing row of a key is newer: an append or an
 * earlier run wrote it. So nothing is ever overwritten, and the order of appends and runs does not matter. Records that
 * were trimmed since the run was read are left out.
 *
 * Locks: the keys that it adds, in the order of keys, as appends do: so the two cannot deadlock. Not the head: appends
 * of other keys continue. The build's row is locked already.
 * Index: `topic_heads_pkey`, `latest_pkey`, `state_builds_pkey`.
 */
const insertRun = prepareStatement({
  name: "build_state_write",
  values: { topicId: "bigint", first: "bigint", frames: "bytea", state: "jsonb" },
  build: (value) => sql<object>`
with kept as (
  insert into millrace.latest
    (topic_id, key, "offset", is_tombstone, frame, latitude, longitude, cell, removed_time, expire_time)
  select h.topic_id, s.key, ${value.first} + s.index, s."isTombstone",
    substring(${value.frames} from s.start + 1 for s.length), s.latitude, s.longitude, s.cell, s."removedTime",
    s."expiryMicros"
  from millrace.topic_heads as h
    join jsonb_to_recordset(${value.state}) as s (key text, index int, start int, length int, "isTombstone" boolean,
      latitude float8, longitude float8, cell bigint, "removedTime" bigint, "expiryMicros" bigint)
      on ${value.first} + s.index >= h.earliest_offset
  where h.topic_id = ${value.topicId}
  order by s.key collate "C"
  on conflict (topic_id, key) do nothing
)
update millrace.state_builds set next_offset = ${value.first} where topic_id = ${value.topicId}`,
});

/**
 * Ends a build that reached the earliest kept record. The trimmed records below it may have included tombstones, so no
 * watch may resume from there.
 *
 * Locks: the head's row, after the build's row, which is locked already. No append holds the head and waits for a
 * build.
 * Index: `topic_heads_pkey`, `state_builds_pkey`.
 */
const finishBuild = prepareStatement({
  values: { topicId: "bigint" },
  build: (value) =>
    tables
      .with("finished", (db) =>
        db.deleteFrom("state_builds").where("topic_id", "=", value.topicId).returning(["topic_id", "from_offset"]),
      )
      .updateTable("topic_heads as h")
      .from("finished")
      .set((eb) => ({ tombstones_from: eb.fn("least", ["h.earliest_offset", "finished.from_offset"]) }))
      .whereRef("h.topic_id", "=", "finished.topic_id"),
});

export async function findBuilds(database: Database, count: number): Promise<readonly number[]> {
  const rows = await database.run(selectBuilds, { count });
  return rows.map((row) => row.topicId);
}

/**
 * The size of a step: some milliseconds, in which appends of the same keys wait. On the one connection of the embedded
 * database all appends wait. Measured there, 500 records take 30 ms.
 */
const recordsPerStep = { postgres: 500, embedded: 200 } as const;

/**
 * Takes one step, from the newest records to the oldest. The state and the progress of the build change in one
 * transaction: if a node dies in it, nothing has changed, and any other node continues.
 */
export async function buildState(database: Database, step: BuildStep, changesIn: FindChanges): Promise<BuildOutcome> {
  const { topicId, records = recordsPerStep[database.kind], bytes } = step;
  return database.transaction(async (connection) => {
    const [build] = await connection.run(takeBuild, { topicId });
    if (build === undefined) return "elsewhere";
    const run = await readPage(connection, { topicId, records, bytes, direction: "backward", from: build.nextOffset });
    // The topic was deleted, and its build will be.
    if (run === undefined) return "elsewhere";
    if (run.page === undefined) {
      await connection.run(finishBuild, { topicId });
      return "whole";
    }
    const { first, next } = run.page;
    const frames = reversed(run.page.frames);
    const state = encodeChanges(frames, changesIn(frames, next - first));
    await connection.run(insertRun, { topicId, first, frames, state });
    return "moved";
  });
}

/** Frames in the opposite order. */
function reversed(frames: Uint8Array): Buffer {
  const result = Buffer.allocUnsafeSlow(frames.length);
  for (let at = 0; at < frames.length; ) {
    const end = endOfFrame(frames, at);
    result.set(frames.subarray(at, end), frames.length - end);
    at = end;
  }
  return result;
}

function encodeChanges(frames: Uint8Array, changes: readonly BuildChange[]): string {
  const ends: number[] = [];
  for (let at = 0; at < frames.length; ) ends.push((at = endOfFrame(frames, at)));
  return JSON.stringify(
    changes.map(({ key, index, isTombstone, place, timeMicros, expiryMicros }) => {
      const start = index === 0 ? 0 : (ends[index - 1] as number);
      return {
        key,
        index,
        start,
        length: (ends[index] as number) - start,
        isTombstone,
        ...(isTombstone
          ? { removedTime: timeMicros }
          : expiryMicros !== undefined && { removedTime: expiryMicros, expiryMicros }),
        ...(place !== undefined && { ...place, cell: cellOf(place) }),
      };
    }),
  );
}
