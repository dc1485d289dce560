import type { Head } from "../../topic-store.js";
import type { Database } from "../database/database.js";
import { prepareStatement } from "../statement.js";
import { selectHeads } from "../topics/stored-topic.js";

/** Heads of topics that have records with lifetimes, by id. No locks. Index: `topic_heads_expiring`, `blocks_pkey`. */
const selectExpiring = prepareStatement({
  values: { after: "bigint", count: "bigint" },
  build: (value) =>
    selectHeads()
      .where((eb) => eb.ref("h.expiring"))
      .where("h.topic_id", ">", value.after)
      .orderBy("h.topic_id")
      .limit(value.count),
});

export async function findExpiring(database: Database, after: number, count: number): Promise<readonly Head[]> {
  return database.run(selectExpiring, { after, count });
}
