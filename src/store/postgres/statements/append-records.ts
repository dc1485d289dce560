import { type RawBuilder, sql } from "kysely";
import { MillraceError } from "../../../core/index.js";
import type { AppendOutcome, AppendWrite, StateChange } from "../../topic-store.js";
import { cellOf } from "../cells.js";
import type { Session } from "../database/database.js";
import { prepareStatement } from "../statement.js";
import { encodeProducers } from "./producer-states.js";

const values = {
  topicId: "bigint",
  expectedNext: "bigint",
  expectedVersion: "bigint",
  expectedEpoch: "bigint",
  count: "bigint",
  baseBytes: "bigint",
  time: "bigint",
  frames: "bytea",
  starts: "int[]",
  lengths: "int[]",
  producers: "jsonb",
  state: "jsonb",
  expires: "boolean",
} as const;

type Kept = (value: { readonly [Name in keyof typeof values]: RawBuilder<unknown> }) => RawBuilder<unknown>;

/**
 * Compare and append, in one statement: the hot path of every commit.
 *
 * Locks: the update takes the row lock of the topic's head and holds it until the commit. A second appender waits for
 * it, finds that `next_offset` moved (READ COMMITTED checks the condition again on the row's new version), and writes
 * nothing. That is the whole order: offsets are gapless and visible in commit order, without a sequence.
 * Records, producers and state hang on the head's row, so all is written or nothing (invariant 3). Rows of producers and
 * of state are only written under their topic's lock (and those of a state that is being built, see `build-state.ts`).
 *
 * Index: `topic_heads_pkey`, `producers_pkey`, `latest_pkey`. The head's update is heap-only: no indexed column changes.
 *
 * All frames come as one parameter and are sliced here: a driver would write an array of them as escaped text.
 */
function appendStatement(name: string, state: Kept) {
  return prepareStatement({
    name,
    values,
    build: (value) => sql<{ appended: boolean }>`
with head as (
  update millrace.topic_heads as h
  set next_offset = h.next_offset + ${value.count},
      next_bytes = ${value.baseBytes} + octet_length(${value.frames}),
      last_time = ${value.time}, expiring = h.expiring or ${value.expires}
  where h.topic_id = ${value.topicId} and h.next_offset = ${value.expectedNext}
    and h.version = ${value.expectedVersion} and h.epoch = ${value.expectedEpoch} and not h.closed
  returning h.topic_id
), written as (
  insert into millrace.records (topic_id, "offset", end_bytes, frame)
  select head.topic_id, ${value.expectedNext} + slice.position - 1, ${value.baseBytes} + slice.start + slice.length,
    substring(${value.frames} from slice.start + 1 for slice.length)
  from head, unnest(${value.starts}, ${value.lengths}) with ordinality as slice (start, length, position)
), remembered as (
  insert into millrace.producers (topic_id, producer_id, generation, next_sequence, recent)
  select head.topic_id, p.producer_id, p.generation, p.next_sequence, p.recent
  from head, jsonb_to_recordset(${value.producers})
    as p (producer_id text, generation bigint, next_sequence bigint, recent bigint[])
  on conflict (topic_id, producer_id) do update
  set generation = excluded.generation, next_sequence = excluded.next_sequence, recent = excluded.recent,
      updated_at = clock_timestamp()
)${state(value)}
select exists (select from head) as appended`,
  });
}

const appendRecords = appendStatement("append_records", () => sql``);

/**
 * The same, and the state of a keyed topic: each key's last record of the commit takes the place of the one before. In
 * the order of keys, as whoever builds the state of a topic beside it: so the two never wait for each other.
 */
const appendKeyed = appendStatement(
  "append_keyed",
  (value) => sql`, kept as (
  insert into millrace.latest (topic_id, key, "offset", is_tombstone, frame, latitude, longitude, cell,
    removed_time, expire_time)
  select head.topic_id, s.key, ${value.expectedNext} + s.index, s."isTombstone",
    substring(${value.frames} from (${value.starts})[s.index + 1] + 1 for (${value.lengths})[s.index + 1]),
    s.latitude, s.longitude, s.cell, case when s."isTombstone" then ${value.time} else s."expiryMicros" end,
    s."expiryMicros"
  from head, jsonb_to_recordset(${value.state})
    as s (key text, index int, "isTombstone" boolean, latitude float8, longitude float8, cell bigint,
      "expiryMicros" bigint)
  order by s.key collate "C"
  on conflict (topic_id, key) do update
  set "offset" = excluded."offset", is_tombstone = excluded.is_tombstone, frame = excluded.frame,
      latitude = excluded.latitude, longitude = excluded.longitude, cell = excluded.cell,
      removed_time = excluded.removed_time, expire_time = excluded.expire_time
)`,
);

/** Runs it in a session (a later statement of a transaction) or by itself. */
export async function runAppend(session: Pick<Session, "run">, write: AppendWrite): Promise<AppendOutcome> {
  const { expected, frames } = write;
  const slices = sliceFrames(write);
  const [row] = await session.run(write.state.length === 0 ? appendRecords : appendKeyed, {
    topicId: write.topicId,
    expectedNext: expected.nextOffset,
    expectedVersion: expected.version,
    expectedEpoch: expected.epoch,
    count: write.frameEnds.length,
    baseBytes: write.baseBytes,
    time: write.timeMicros,
    // pg sends a Buffer as it is.
    frames: Buffer.from(frames.buffer, frames.byteOffset, frames.byteLength),
    starts: slices.starts,
    lengths: slices.lengths,
    producers: write.producers.length === 0 ? "[]" : encodeProducers(write.producers),
    state: encodeState(write.state),
    expires: write.expires,
  });
  return row?.appended ? "appended" : "moved";
}

/** A state's changes as JSON; the place of each beside its cell. */
function encodeState(state: readonly StateChange[]): string {
  return JSON.stringify(
    state.map(({ key, index, isTombstone, place, expiryMicros }) => ({
      key,
      index,
      isTombstone,
      // A tombstone stays until all of its age go: `tombstones_from` speaks for it.
      ...(expiryMicros !== undefined && !isTombstone && { expiryMicros }),
      ...(place !== undefined && { ...place, cell: cellOf(place) }),
    })),
  );
}

/** Where each frame starts and how long it is, as Postgres writes arrays. The ends must cover `frames` exactly. */
function sliceFrames(write: AppendWrite): { readonly starts: string; readonly lengths: string } {
  const starts: number[] = [];
  const lengths: number[] = [];
  let start = 0;
  for (const end of write.frameEnds) {
    if (!(end > start)) throw new MillraceError("internal", `Cannot append a frame from byte ${start} to byte ${end}`);
    starts.push(start);
    lengths.push(end - start);
    start = end;
  }
  if (start !== write.frames.length || start === 0) {
    throw new MillraceError("internal", `Cannot append ${write.frames.length} bytes: their frames end at ${start}`);
  }
  return { starts: `{${starts.join(",")}}`, lengths: `{${lengths.join(",")}}` };
}
