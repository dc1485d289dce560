import type { Connection } from "../database/database.js";
import { tables } from "../schema.js";
import { prepareStatement } from "../statement.js";

/**
 * Locks a topic's upkeep: only one node at a time merges or deletes its blocks. Locks: the row of `topics`, which no
 * append and no read locks; a change of its settings and its deletion wait. Skipped when another node has it. Later
 * statements see what the holder before did. Index: `topics_pkey`.
 */
const selectTopic = prepareStatement({
  values: { topicId: "bigint" },
  build: (value) =>
    tables.selectFrom("topics").where("topic_id", "=", value.topicId).select("topic_id").forNoKeyUpdate().skipLocked(),
});

/** False: another node has it, or the topic was deleted. */
export async function lockUpkeep(connection: Pick<Connection, "run">, topicId: number): Promise<boolean> {
  return (await connection.run(selectTopic, { topicId })).length > 0;
}
