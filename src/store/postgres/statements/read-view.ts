import { sql } from "kysely";
import type { Head, LockedView } from "../../topic-store.js";
import type { Session } from "../database/database.js";
import { prepareStatement } from "../statement.js";
import { headColumns, heads } from "./stored-topic.js";
import { type ProducerRow, producerObject, toProducerState } from "./producer-states.js";

interface ViewRow extends Head {
  readonly producers: readonly ProducerRow[];
}

/**
 * A topic's head with the known ones among some producers. No locks: one snapshot, so head and producers belong
 * together. Index: `topic_heads_pkey`, `blocks_pkey`, `producers_pkey`.
 */
const selectView = prepareStatement({
  name: "read_view",
  values: { topicId: "bigint", producerIds: "text[]" },
  build: (value) => sql<ViewRow>`
select ${headColumns}, coalesce((
    select json_agg(${producerObject}) from millrace.producers as p
    where p.topic_id = ${value.topicId} and p.producer_id = any(${value.producerIds})
  ), '[]') as producers
from ${heads} where h.topic_id = ${value.topicId}`,
});

/** In a transaction that holds the head's lock it is the view that the next append will find. */
export async function runReadView(
  session: Pick<Session, "run">,
  topicId: number,
  producerIds: readonly string[],
): Promise<LockedView | undefined> {
  const [row] = await session.run(selectView, { topicId, producerIds });
  if (row === undefined) return undefined;
  const { producers, ...head } = row;
  return { head, producers: producers.map(toProducerState) };
}
