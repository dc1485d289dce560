import { sql } from "kysely";
import type { LockedView } from "../../log-store.js";
import type { Head } from "../../topic-store.js";
import type { Connection } from "../database/database.js";
import { prepareStatement } from "../statement.js";
import { headColumns, heads } from "../topics/stored-topic.js";
import { foldSteps, type ProducerRow, producerObject, toProducerState } from "./producer-states.js";

interface ViewRow extends Head {
  readonly producers: readonly ProducerRow[];
  /** Their changes in blocks, in the order of their commits. */
  readonly steps: readonly ProducerRow[];
}

/**
 * A topic's head with those of the given producers that are known. No locks: one snapshot, so head and producers match,
 * and each change of a producer is in its row or in a block. Index: `topic_heads_pkey`, `blocks_pkey`,
 * `producers_pkey`.
 */
const selectView = prepareStatement({
  name: "read_view",
  values: { topicId: "bigint", producerIds: "text[]" },
  build: (value) => sql<ViewRow>`
select ${headColumns}, coalesce((
    select json_agg(${producerObject}) from millrace.producers as p
    where p.topic_id = ${value.topicId} and p.producer_id = any(${value.producerIds})
  ), '[]') as producers, coalesce((
    select json_agg(each.step order by b.first_offset, each.place)
    from (
      select b.first_offset, b.producers from millrace.blocks as b
      where b.topic_id = ${value.topicId} and b.first_offset >= h.merged_to and b.producers is not null
        and cardinality(${value.producerIds}) > 0
    ) as b cross join lateral jsonb_array_elements(b.producers) with ordinality as each (step, place)
    where each.step ->> 'id' = any(${value.producerIds})
  ), '[]') as steps
from ${heads} where h.topic_id = ${value.topicId}`,
});

/** In a transaction that holds the head's lock, the next append finds this same view. */
export async function readView(
  connection: Pick<Connection, "run">,
  topicId: number,
  producerIds: readonly string[],
): Promise<LockedView | undefined> {
  const [row] = await connection.run(selectView, { topicId, producerIds });
  if (row === undefined) return undefined;
  const { producers, steps, ...head } = row;
  return { head, producers: [...foldSteps(producers, steps).values()].map(toProducerState) };
}
