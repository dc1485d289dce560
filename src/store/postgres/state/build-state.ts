import { sql } from "kysely";
import { endOfFrame } from "../../../core/index.js";
import type { BuildChange, BuildOutcome, BuildStep, FindChanges } from "../../state-store.js";
import { cellOf } from "./cells.js";
import type { Database } from "../database/database.js";
import { tables } from "../schema.js";
import { prepareStatement } from "../statement.js";
import { readPage } from "../log/read-page.js";

/** Topics whose state is being built. No locks. Index: none; `state_builds` holds a row for each of them, and no other. */
const selectBuilds = prepareStatement({
  values: { count: "bigint" },
  build: (value) =>
    tables.selectFrom("state_builds").select("topic_id as topicId").orderBy("topic_id").limit(value.count),
});

/**
 * Takes a build. Locks: its row, for a step; skipped when another node has it: no row.
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
 * Puts a run into the state, and moves the build on. A key that is there already is newer, be it from an append or from
 * a run before this one: so nothing is ever overwritten, and which of them comes first does not matter. A record that was
 * trimmed since the run was read is left out, as all below it will be.
 *
 * Locks: the keys that it adds, in the order in which appends take theirs, so that the two cannot wait for each other;
 * not the head: appends of other keys go on. The build's row is held already.
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
 * Ends a build that came down to what is kept. Records that were trimmed below it may have been tombstones: nobody may
 * watch on from there.
 *
 * Locks: the head's row, behind that of the build, which is held already; no append holds the head and waits for a build.
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
 * What one step takes: some milliseconds, for which appends of the same keys wait, and on the one connection of the
 * embedded database all appends. Measured there, 500 take 30 ms.
 */
const recordsPerStep = { postgres: 500, embedded: 200 } as const;

/**
 * One step, from the newest records to the oldest. Each is a transaction: what is in the state and how far the build is
 * change together, so that a node that dies in it has done nothing, and any other goes on.
 */
export async function buildState(database: Database, step: BuildStep, changesIn: FindChanges): Promise<BuildOutcome> {
  const { topicId, records = recordsPerStep[database.kind], bytes } = step;
  return database.transaction(async (session) => {
    const [build] = await session.run(takeBuild, { topicId });
    if (build === undefined) return "elsewhere";
    const run = await readPage(session, { topicId, records, bytes, direction: "backward", from: build.nextOffset });
    // The topic is gone, and its build is about to go.
    if (run === undefined) return "elsewhere";
    if (run.page === undefined) {
      await session.run(finishBuild, { topicId });
      return "whole";
    }
    const { first, next } = run.page;
    const frames = reversed(run.page.frames);
    const state = encodeChanges(frames, changesIn(frames, next - first));
    await session.run(insertRun, { topicId, first, frames, state });
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
