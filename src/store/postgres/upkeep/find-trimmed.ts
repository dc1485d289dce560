import type { Database } from "../database/database.js";
import { tables } from "../schema.js";
import { prepareStatement } from "../statement.js";

/**
 * Existing topics with unreachable blocks. No locks. Index: none; `removals` has a row for each topic with blocks to
 * delete, and no others.
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
