import { sql } from "kysely";
import type { Connection } from "../database/database.js";
import { prepareStatement } from "../statement.js";
import { foldSteps, type ProducerRow, producerObject } from "./producer-states.js";

interface FoldRow {
  readonly steps: readonly ProducerRow[];
  readonly known: readonly ProducerRow[];
}

/**
 * The changes of producers in the blocks below an offset, and the rows of these producers. No locks: one snapshot.
 * Index: `topic_heads_pkey`, `blocks_pkey`, `producers_pkey`.
 */
const selectSteps = prepareStatement({
  name: "fold_producers_read",
  values: { topicId: "bigint", below: "bigint" },
  build: (value) => sql<FoldRow>`
with step as materialized (
  select b.first_offset, each.place, each.step
  from millrace.topic_heads as h cross join lateral (
    select b.first_offset, b.producers from millrace.blocks as b
    where b.topic_id = ${value.topicId} and b.first_offset >= h.merged_to and b.first_offset < ${value.below}
      and b.producers is not null
  ) as b cross join lateral jsonb_array_elements(b.producers) with ordinality as each (step, place)
  where h.topic_id = ${value.topicId}
)
select coalesce((select json_agg(step order by first_offset, place) from step), '[]') as steps,
  coalesce((
    select json_agg(${producerObject}) from millrace.producers as p
    where p.topic_id = ${value.topicId} and p.producer_id in (select step ->> 'id' from step)
  ), '[]') as known`,
});

/** Locks: the producers' rows, in the order of their ids. Index: `producers_pkey`. */
const upsertProducers = prepareStatement({
  name: "fold_producers_write",
  values: { topicId: "bigint", producers: "jsonb", recentMax: "int" },
  build: (value) => sql<object>`
insert into millrace.producers (topic_id, producer_id, generation, next_sequence, recent)
select ${value.topicId}, p.id, p.generation, p."nextSequence",
  p.recent[greatest(1, cardinality(p.recent) - 2 * ${value.recentMax} + 1):]
from jsonb_to_recordset(${value.producers})
  as p (id text, generation bigint, "nextSequence" bigint, recent bigint[])
order by p.id
on conflict (topic_id, producer_id) do update
set generation = excluded.generation, next_sequence = excluded.next_sequence, recent = excluded.recent,
    updated_at = clock_timestamp()`,
});

/**
 * Writes the changes of producers in the blocks below an offset into `producers`, in the transaction that raises
 * `merged_to` to that offset. After its commit nobody reads producers from those blocks, and they may be merged or
 * deleted. The caller holds the topic's row of upkeep, so only one runs at a time.
 */
export async function foldProducers(
  connection: Pick<Connection, "run">,
  { topicId, below }: { readonly topicId: number; readonly below: number },
  recentMax: number,
): Promise<void> {
  const [row] = await connection.run(selectSteps, { topicId, below });
  if (row === undefined || row.steps.length === 0) return;
  const producers = JSON.stringify([...foldSteps(row.known, row.steps).values()]);
  await connection.run(upsertProducers, { topicId, producers, recentMax });
}
