import { sql } from "kysely";
import type { EpochChange } from "../../topic-store.js";
import type { Database } from "../database/database.js";
import { tables } from "../schema.js";
import { prepareStatement } from "../statement.js";

/** Compare and set: of two nodes that notice, one succeeds. Locks: the head's row. Index: `topic_heads_pkey`. */
const updateEpoch = prepareStatement({
  values: { topicId: "bigint", epoch: "bigint", newEpoch: "bigint" },
  build: (value) =>
    tables
      .updateTable("topic_heads")
      .set((eb) => ({ epoch: value.newEpoch, version: eb("version", "+", sql.lit(1)) }))
      .where("topic_id", "=", value.topicId)
      .where("epoch", "=", value.epoch)
      .returning("topic_id as topicId"),
});

export async function renewEpoch(database: Database, change: EpochChange): Promise<boolean> {
  const rows = await database.run(updateEpoch, change);
  return rows.length > 0;
}
