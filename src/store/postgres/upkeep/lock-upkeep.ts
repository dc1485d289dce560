import type { Session } from "../database/database.js";
import { tables } from "../schema.js";
import { prepareStatement } from "../statement.js";

/**
 * What is done to a topic's blocks in the background is done by one at a time: merging and deleting. Locks: the row of
 * `topics`, which no append and no read takes; a change of its settings and a deletion wait. Skipped where another has it.
 * Statements after it see what its holder before did. Index: `topics_pkey`.
 */
const selectTopic = prepareStatement({
  values: { topicId: "bigint" },
  build: (value) =>
    tables.selectFrom("topics").where("topic_id", "=", value.topicId).select("topic_id").forNoKeyUpdate().skipLocked(),
});

/** False: another node works on it, or the topic is gone. */
export async function lockUpkeep(session: Pick<Session, "run">, topicId: number): Promise<boolean> {
  return (await session.run(selectTopic, { topicId })).length > 0;
}
