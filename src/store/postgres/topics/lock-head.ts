import type { Session } from "../database/database.js";
import { tables } from "../schema.js";
import { prepareStatement } from "../statement.js";

/**
 * Takes the row lock of a topic's head against every append, and waits for those under way, which hold it `for share`.
 * What it returns is of no use: statements after this one see what the lock waited for, and this one's snapshot is
 * older. So whatever depends on the log (where a trim ends, say) is read in a later statement. Index: `topic_heads_pkey`.
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
export async function lockHead(session: Session, topicId: number): Promise<boolean> {
  const rows = await session.run(selectForUpdate, { topicId });
  return rows.length > 0;
}
