import type { Connection } from "../database/database.js";
import { tables } from "../schema.js";
import { prepareStatement } from "../statement.js";

/**
 * Locks the row of a topic's head against every append, and waits for running ones, which hold it `for share`. Its
 * result is not used: its snapshot is older than what the lock waited for. What depends on the log (for example, where
 * a trim ends) is read by a later statement, which sees that. Index: `topic_heads_pkey`.
 */
const selectForUpdate = prepareStatement({
  name: "lock_head",
  values: { topicId: "bigint" },
  build: (value) =>
    tables
      .selectFrom("topic_heads")
      .where("topic_id", "=", value.topicId)
      .select("topic_id as topicId")
      .forNoKeyUpdate(),
});

/** False: the topic is gone. */
export async function lockHead(connection: Connection, topicId: number): Promise<boolean> {
  const rows = await connection.run(selectForUpdate, { topicId });
  return rows.length > 0;
}
