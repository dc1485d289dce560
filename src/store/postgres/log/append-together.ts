import { type RawBuilder, sql } from "kysely";
import type { AppendWrite } from "../../log-store.js";
import type { Connection } from "../database/database.js";
import type { LogShape } from "../log-shape.js";
import { prepareStatement } from "../statement.js";
import { encodeState } from "./append-blocks.js";
import { cutBlocks } from "./cut-blocks.js";
import { encodeSteps } from "./producer-states.js";

const values = {
  topicIds: "bigint[]",
  nextOffsets: "bigint[]",
  versions: "bigint[]",
  epochs: "bigint[]",
  times: "bigint[]",
  producers: "jsonb",
  frames: "bytea",
  blockTopics: "bigint[]",
  blockFirsts: "bigint[]",
  blockNexts: "bigint[]",
  blockEndBytes: "bigint[]",
  starts: "int[]",
  lengths: "int[]",
  state: "jsonb",
} as const;

type Kept = (value: { readonly [Name in keyof typeof values]: RawBuilder<unknown> }) => RawBuilder<unknown>;

/**
 * Appends to several topics in one statement, so that they share a commit. Services that give each user or device its
 * own topic write like this. For each topic it does what `append-blocks.ts` does, and the reasons there hold here. For
 * one topic alone it costs about a tenth more, so one topic has its own statement.
 *
 * **Never all or nothing.** It leaves out a topic whose view is outdated, and one whose head another transaction has
 * locked (`skip locked`). The caller appends to those alone.
 * **Locks.** Heads `for share` in the order of topic ids, then first blocks in the same order. Both selects need the
 * `order by`: with only one of them, two nodes deadlock (blocks.md, rule 5). Then rows of states, by topic and key.
 *
 * Index: `topic_heads_pkey`, `blocks_pkey`, `latest_pkey`.
 */
function togetherStatement(name: string, state: Kept) {
  return prepareStatement({
    name,
    values,
    build: (value) => sql<{ topicId: number }>`
with asked as materialized (
  select * from unnest(${value.topicIds}, ${value.nextOffsets}, ${value.versions}, ${value.epochs}, ${value.times})
    with ordinality as asked (topic_id, next_offset, version, epoch, time, place)
), head as materialized (
  select h.topic_id, asked.next_offset, asked.time, asked.place
  from asked join millrace.topic_heads as h on h.topic_id = asked.topic_id
  where h.version = asked.version and h.epoch = asked.epoch and not h.closed and h.merged_to <= asked.next_offset
    and h.earliest_offset <= asked.next_offset and coalesce((
      select b.next_offset from millrace.blocks as b
      where b.topic_id = h.topic_id and b.first_offset >= h.front order by b.first_offset desc limit 1
    ), h.earliest_offset) = asked.next_offset
  order by h.topic_id
  for share of h skip locked
), block as materialized (
  select * from unnest(${value.blockTopics}, ${value.blockFirsts}, ${value.blockNexts}, ${value.blockEndBytes},
    ${value.starts}, ${value.lengths}) as block (topic_id, first_offset, next_offset, end_bytes, start, length)
), written as (
  insert into millrace.blocks (topic_id, first_offset, next_offset, end_bytes, last_time, frames, producers)
  select head.topic_id, block.first_offset, block.next_offset, block.end_bytes, head.time,
    substring(${value.frames} from block.start + 1 for block.length),
    nullif(${value.producers} -> (head.place - 1)::int, 'null')
  from head join block on block.topic_id = head.topic_id and block.first_offset = head.next_offset
  order by head.topic_id
  on conflict do nothing
  returning topic_id
), others as (
  insert into millrace.blocks (topic_id, first_offset, next_offset, end_bytes, last_time, frames)
  select head.topic_id, block.first_offset, block.next_offset, block.end_bytes, head.time,
    substring(${value.frames} from block.start + 1 for block.length)
  from written join head on head.topic_id = written.topic_id
    join block on block.topic_id = head.topic_id and block.first_offset > head.next_offset
  order by head.topic_id, block.first_offset
)${state(value)}
select topic_id as "topicId" from written`,
  });
}

const appendTogetherPlain = togetherStatement("append_together", () => sql``);

const appendTogetherKeyed = togetherStatement(
  "append_together_keyed",
  (value) => sql`, kept as (
  insert into millrace.latest (topic_id, key, "offset", is_tombstone, frame, latitude, longitude, cell,
    removed_time, expire_time)
  select head.topic_id, s.key, head.next_offset + s.index, s."isTombstone",
    substring(${value.frames} from s.start + 1 for s.length),
    s.latitude, s.longitude, s.cell, case when s."isTombstone" then head.time else s."expiryMicros" end,
    s."expiryMicros"
  from written join head on head.topic_id = written.topic_id
    join jsonb_to_recordset(${value.state}) as s ("topicId" bigint, key text, index int, start int, length int,
      "isTombstone" boolean, latitude float8, longitude float8, cell bigint, "expiryMicros" bigint)
      on s."topicId" = head.topic_id
  order by head.topic_id, s.key collate "C"
  on conflict (topic_id, key) do update
  set "offset" = excluded."offset", is_tombstone = excluded.is_tombstone, frame = excluded.frame,
      latitude = excluded.latitude, longitude = excluded.longitude, cell = excluded.cell,
      removed_time = excluded.removed_time, expire_time = excluded.expire_time
)`,
);

/** `writes` has each topic once, and none with `expires`. Returns the topics that were appended to. */
export async function appendTogether(
  connection: Pick<Connection, "run">,
  shape: LogShape,
  writes: readonly AppendWrite[],
): Promise<ReadonlySet<number>> {
  const statement = writes.every(({ state }) => state.length === 0) ? appendTogetherPlain : appendTogetherKeyed;
  const rows = await connection.run(statement, encodeWrites(writes, shape));
  return new Set(rows.map(({ topicId }) => topicId));
}

function encodeWrites(writes: readonly AppendWrite[], { blockBytes }: LogShape) {
  const blocks: { topicId: number; first: number; next: number; endBytes: number; start: number; length: number }[] =
    [];
  const states: string[] = [];
  let at = 0;
  for (const write of writes) {
    const { topicId, expected, baseBytes, frames } = write;
    let first = expected.nextOffset;
    for (const { start, end, count } of cutBlocks(write, blockBytes)) {
      const next = first + count;
      blocks.push({ topicId, first, next, endBytes: baseBytes + end, start: at + start, length: end - start });
      first = next;
    }
    states.push(...encodeState(write, at).map((row) => JSON.stringify({ topicId, ...row })));
    at += frames.length;
  }
  const array = <Item>(items: readonly Item[], of: (item: Item) => number): string => `{${items.map(of).join(",")}}`;
  return {
    topicIds: array(writes, ({ topicId }) => topicId),
    nextOffsets: array(writes, ({ expected }) => expected.nextOffset),
    versions: array(writes, ({ expected }) => expected.version),
    epochs: array(writes, ({ expected }) => expected.epoch),
    times: array(writes, ({ timeMicros }) => timeMicros),
    producers: `[${writes
      .map(({ producers, expected }) => (producers.length === 0 ? "null" : encodeSteps(producers, expected.nextOffset)))
      .join(",")}]`,
    frames: Buffer.concat(writes.map(({ frames }) => frames)),
    blockTopics: array(blocks, ({ topicId }) => topicId),
    blockFirsts: array(blocks, ({ first }) => first),
    blockNexts: array(blocks, ({ next }) => next),
    blockEndBytes: array(blocks, ({ endBytes }) => endBytes),
    starts: array(blocks, ({ start }) => start),
    lengths: array(blocks, ({ length }) => length),
    state: `[${states.join(",")}]`,
  };
}
