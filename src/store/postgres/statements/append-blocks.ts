import { type RawBuilder, sql } from "kysely";
import type { AppendOutcome, AppendWrite, StateChange } from "../../topic-store.js";
import { cellOf } from "../cells.js";
import type { Session } from "../database/database.js";
import type { LogShape } from "../log-shape.js";
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
 * Compare and append, in one statement: the hot path of every commit. It inserts, and changes nothing: a row that every
 * commit updates slows all of them down while any snapshot is held in the database.
 *
 * **What makes the order.** The primary key: of two appends at one offset the second waits for the first one's block, and
 * inserts nothing. `on conflict do nothing` decides row by row, so only the topic's first block is inserted by it, and all
 * else (the other blocks, the state) is written from what that returned (blocks.md, rule 1). The key compares only
 * while rows stay; so a merge first raises `merged_to`, and a trim `earliest_offset`, and an append at an offset below either
 * misses (blocks.md, rule 2). That the last block ends where it was expected is asked first: a miss then writes nothing.
 *
 * **Locks.** The head's row `for share`, held until the commit: it waits for whatever changes the head (a close, a trim,
 * a lock), and its conditions are checked again on the row's newest version; `for key share` would neither wait nor check
 * (blocks.md, rule 3). The look at the last block keeps the statement's snapshot, which the key makes up for. Rows of
 * state are written behind the first block, so under their topic's order (those of a state that is being built: see
 * `build-state.ts`). What the commit did to producers stands in its first block. All is written or nothing (invariant 3).
 *
 * Index: `topic_heads_pkey`, `blocks_pkey`, `latest_pkey`.
 * All frames come as one parameter and are sliced here: a driver would write an array of them as escaped text.
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
 * The same, and the state of a keyed topic: each key's last record of the commit takes the place of the one before. In
 * the order of keys, as whoever builds the state of a topic beside it: so the two never wait for each other.
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
 * Says once that records of a topic have lifetimes. Before the append, since that holds the head `for share` and may not
 * change it: two that did would wait for each other (blocks.md, rule 3). Locks: the head's row. Index: `topic_heads_pkey`.
 */
const markExpiring = prepareStatement({
  values: { topicId: "bigint", epoch: "bigint" },
  build: (value) => sql<object>`
update millrace.topic_heads set expiring = true
where topic_id = ${value.topicId} and epoch = ${value.epoch} and not expiring`,
});

/** Runs it in a session (a later statement of a transaction) or by itself. */
export async function appendWrite(
  session: Pick<Session, "run">,
  write: AppendWrite,
  shape: LogShape,
): Promise<AppendOutcome> {
  const { topicId, expected, frames } = write;
  const blocks = cutBlocks(write, shape.blockBytes);
  if (write.expires) await session.run(markExpiring, { topicId, epoch: expected.epoch });
  const [row] = await session.run(write.state.length === 0 ? appendBlocks : appendKeyed, {
    topicId,
    expectedNext: expected.nextOffset,
    expectedVersion: expected.version,
    expectedEpoch: expected.epoch,
    baseBytes: write.baseBytes,
    time: write.timeMicros,
    // pg sends a Buffer as it is.
    frames: Buffer.from(frames.buffer, frames.byteOffset, frames.byteLength),
    ...encodeCuts(blocks),
    producers: write.producers.length === 0 ? null : encodeSteps(write.producers, expected.nextOffset),
    state: write.state.length === 0 ? "[]" : JSON.stringify(encodeState(write)),
  });
  return row?.appended ? "appended" : "moved";
}

/** As Postgres writes arrays. */
function encodeCuts(cuts: readonly BlockCut[]) {
  const array = (values: readonly number[]): string => `{${values.join(",")}}`;
  return {
    starts: array(cuts.map(({ start }) => start)),
    lengths: array(cuts.map(({ start, end }) => end - start)),
    counts: array(cuts.map(({ count }) => count)),
  };
}

/** A state's changes as JSON has them: where the frame of each stands, behind `at` bytes, and the place beside its cell. */
export function encodeState({ state, frameEnds }: AppendWrite, at = 0): readonly object[] {
  return state.map(({ key, index, isTombstone, place, expiryMicros }: StateChange) => {
    const start = index === 0 ? 0 : (frameEnds[index - 1] as number);
    return {
      key,
      index,
      start: at + start,
      length: (frameEnds[index] as number) - start,
      isTombstone,
      // A tombstone stays until all of its age go: `tombstones_from` speaks for it.
      ...(expiryMicros !== undefined && !isTombstone && { expiryMicros }),
      ...(place !== undefined && { ...place, cell: cellOf(place) }),
    };
  });
}
