import { sql } from "kysely";
import type { StoredTopic } from "../../topic-store.js";
import type { Database } from "../database/database.js";
import { tables } from "../schema.js";
import { prepareStatement } from "../statement.js";
import { findTopicById } from "./find-topic.js";

/**
 * Closes a topic; a closed one stays closed. Locks: the head's row. It waits for running appends, which hold the head
 * `for share`; later appends write nothing. The statement after it sees where the topic ended. Index:
 * `topic_heads_pkey`.
 */
const closeHead = prepareStatement({
  values: { topicId: "bigint" },
  build: (value) =>
    tables
      .updateTable("topic_heads")
      .set((eb) => ({ closed: sql.lit(true), version: eb("version", "+", sql.lit(1)) }))
      .where("topic_id", "=", value.topicId)
      .where((eb) => eb.not("closed")),
});

export async function closeTopic(database: Database, topicId: number): Promise<StoredTopic | undefined> {
  return database.transaction(async (connection) => {
    await connection.run(closeHead, { topicId });
    return findTopicById(connection, topicId);
  });
}
