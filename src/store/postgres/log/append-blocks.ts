import { type RawBuilder, sql } from "kysely";
import type { AppendOutcome, AppendWrite, StateChange } from "../../log-store.js";
import { cellOf } from "../state/cells.js";
import type { Connection } from "../database/database.js";
import type { LogShape } from "../log-shape.js";
import { tables } from "../schema.js";
import { prepareStatement } from "../statement.js";
import { cutBlocks, type BlockCut } from "./cut-blocks.js";
import { encodeSteps } from "./producer-states.js";

const values = {
  topicId: "bigint",
  expectedNext: "bigint",
  expectedVersion: "bigint",
  expectedEpoch: "bigint",
  baseBytes: "bigint",
  time: "bigint",
  frames: "bytea",
  starts: "int[]",
  lengths: "int[]",
  counts: "int[]",
  producers: "jsonb or null",
  state: "jsonb",
} as const;

type Kept = (value: { readonly [Name in keyof typeof values]: RawBuilder<unknown> }) => RawBuilder<unknown>;

/**
 * Compare and append in one statement: the hot path of every commit. It only inserts. A row that every commit updates
 * slows all commits down while any snapshot is held in the database.
 *
 * **Order.** The primary key decides. Of two appends at one offset, the second waits for the first one's block and then
 * inserts nothing. `on conflict do nothing` decides row by row, so it inserts only the topic's first block. The other
 * blocks and the state are written from what that insert returned (blocks.md, rule 1). The key finds a conflict only
 * while rows stay: so a merge first raises `merged_to`, a trim raises `earliest_offset`, and an append at an offset
 * below either of them writes nothing (blocks.md, rule 2). It also writes nothing when the
 * last block does not end at the expected offset.
 *
 * **Locks.** The head's row `for share`, held until the commit. It waits for every change of the head (a close, a trim,
 * a lock) and checks its conditions again on the row's newest version. `for key share` would do neither (blocks.md,
 * rule 3). The last block is read from the statement's snapshot, which may be old: the key finds that conflict. Rows of
 * state are written after the first block, so in their topic's order (while a state is being built: `build-state.ts`).
 * The commit's changes of producers stand in its first block. All is written or nothing (invariant 3).
 *
 * Index: `topic_heads_pkey`, `blocks_pkey`, `latest_pkey`. All frames are one parameter, sliced here: a driver would
 * write an array of them as escaped text.
 */
function appendStatement(name: string, state: Kept) {
  return prepareStatement({
    name,
    values,
    build: (value) => sql<{ appended: boolean }>`
with head as materialized (
  select h.topic_id from millrace.topic_heads as h
  where h.topic_id = ${value.topicId} and h.version = ${value.expectedVersion} and h.epoch = ${value.expectedEpoch}
    and not h.closed and h.merged_to <= ${value.expectedNext} and h.earliest_offset <= ${value.expectedNext}
    and coalesce((
      select b.next_offset from millrace.blocks as b
      where b.topic_id = ${value.topicId} and b.first_offset >= h.front order by b.first_offset desc limit 1
    ), h.earliest_offset) = ${value.expectedNext}
  for share of h
), cut as materialized (
  select b.place, b.start, b.length, b.count, ${value.expectedNext} + sum(b.count) over (order by b.place) as next_offset
  from unnest(${value.starts}, ${value.lengths}, ${value.counts}) with ordinality as b (start, length, count, place)
), written as (
  insert into millrace.blocks (topic_id, first_offset, next_offset, end_bytes, last_time, frames, producers)
  select head.topic_id, ${value.expectedNext}, cut.next_offset, ${value.baseBytes} + cut.start + cut.length,
    ${value.time}, substring(${value.frames} from cut.start + 1 for cut.length), ${value.producers}
  from head cross join cut where cut.place = 1
  on conflict do nothing
  returning topic_id
), others as (
  insert into millrace.blocks (topic_id, first_offset, next_offset, end_bytes, last_time, frames)
  select written.topic_id, cut.next_offset - cut.count, cut.next_offset, ${value.baseBytes} + cut.start + cut.length,
    ${value.time}, substring(${value.frames} from cut.start + 1 for cut.length)
  from written cross join cut where cut.place > 1
)${state(value)}
select exists (select from written) as appended`,
  });
}

const appendBlocks = appendStatement("append_blocks", () => sql``);

/**
 * Also writes the state of a keyed topic: each key's last record of the commit replaces the record before. Rows are
 * written in the order of keys, as in `build-state.ts`: the two may run at once, and would deadlock in different
 * orders.
 */
const appendKeyed = appendStatement(
  "append_keyed",
  (value) => sql`, kept as (
  insert into millrace.latest (topic_id, key, "offset", is_tombstone, frame, latitude, longitude, cell,
    removed_time, expire_time)
  select written.topic_id, s.key, ${value.expectedNext} + s.index, s."isTombstone",
    substring(${value.frames} from s.start + 1 for s.length),
    s.latitude, s.longitude, s.cell, case when s."isTombstone" then ${value.time} else s."expiryMicros" end,
    s."expiryMicros"
  from written, jsonb_to_recordset(${value.state})
    as s (key text, index int, start int, length int, "isTombstone" boolean, latitude float8, longitude float8,
      cell bigint, "expiryMicros" bigint)
  order by s.key collate "C"
  on conflict (topic_id, key) do update
  set "offset" = excluded."offset", is_tombstone = excluded.is_tombstone, frame = excluded.frame,
      latitude = excluded.latitude, longitude = excluded.longitude, cell = excluded.cell,
      removed_time = excluded.removed_time, expire_time = excluded.expire_time
)`,
);

/**
 * Marks a topic whose records have lifetimes, once. It runs before the append, which holds the head `for share` and may
 * not update it: two such appends would deadlock (blocks.md, rule 3). Locks: the head's row. Index: `topic_heads_pkey`.
 */
const markExpiring = prepareStatement({
  values: { topicId: "bigint", epoch: "bigint" },
  build: (value) =>
    tables
      .updateTable("topic_heads")
      .set({ expiring: sql.lit(true) })
      .where("topic_id", "=", value.topicId)
      .where("epoch", "=", value.epoch)
      .where((eb) => eb.not("expiring")),
});

/** Runs on a connection: as a later statement of a transaction, or alone. */
export async function append(
  connection: Pick<Connection, "run">,
  shape: LogShape,
  write: AppendWrite,
): Promise<AppendOutcome> {
  const { topicId, expected, frames } = write;
  const blocks = cutBlocks(write, shape.blockBytes);
  if (write.expires) await connection.run(markExpiring, { topicId, epoch: expected.epoch });
  const [row] = await connection.run(write.state.length === 0 ? appendBlocks : appendKeyed, {
    topicId,
    expectedNext: expected.nextOffset,
    expectedVersion: expected.version,
    expectedEpoch: expected.epoch,
    baseBytes: write.baseBytes,
    time: write.timeMicros,
    // pg sends a Buffer without copying it into text.
    frames: Buffer.from(frames.buffer, frames.byteOffset, frames.byteLength),
    ...encodeCuts(blocks),
    producers: write.producers.length === 0 ? null : encodeSteps(write.producers, expected.nextOffset),
    state: write.state.length === 0 ? "[]" : JSON.stringify(encodeState(write)),
  });
  return row?.appended ? "appended" : "moved";
}

/** In the text form of Postgres arrays. */
function encodeCuts(cuts: readonly BlockCut[]) {
  const array = (values: readonly number[]): string => `{${values.join(",")}}`;
  return {
    starts: array(cuts.map(({ start }) => start)),
    lengths: array(cuts.map(({ start, end }) => end - start)),
    counts: array(cuts.map(({ count }) => count)),
  };
}

/** A state's changes as JSON: where each frame starts, counted from `at` bytes, and the cell of its place. */
export function encodeState({ state, frameEnds }: AppendWrite, at = 0): readonly object[] {
  return state.map(({ key, index, isTombstone, place, expiryMicros }: StateChange) => {
    const start = index === 0 ? 0 : (frameEnds[index - 1] as number);
    return {
      key,
      index,
      start: at + start,
      length: (frameEnds[index] as number) - start,
      isTombstone,
      // A tombstone's lifetime does not count: `tombstones_from` decides when tombstones are deleted.
      ...(expiryMicros !== undefined && !isTombstone && { expiryMicros }),
      ...(place !== undefined && { ...place, cell: cellOf(place) }),
    };
  });
}
