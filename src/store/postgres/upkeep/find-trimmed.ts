import type { Database } from "../database/database.js";
import { tables } from "../schema.js";
import { prepareStatement } from "../statement.js";

/**
 * Topics with records out of reach, and still there themselves. No locks. Index: none; `removals` holds a row for each
 * topic with something to delete, and nothing else.
 */
const selectTrimmed = prepareStatement({
  values: { count: "bigint" },
  build: (value) =>
    tables
      .selectFrom("removals")
      .where((eb) => eb.not("whole_topic"))
      .select("topic_id as topicId")
      .orderBy("topic_id")
      .limit(value.count),
});

export async function findTrimmed(database: Database, count: number): Promise<readonly number[]> {
  const rows = await database.run(selectTrimmed, { count });
  return rows.map((row) => row.topicId);
}
