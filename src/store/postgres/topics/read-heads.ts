import { sql } from "kysely";
import type { Head } from "../../topic-store.js";
import type { Connection } from "../database/database.js";
import { prepareStatement } from "../statement.js";
import { headColumns, heads } from "./stored-topic.js";

/**
 * Heads of many topics, for the poll once a second. No locks. Index: `topic_heads_pkey`, `blocks_pkey`, one probe of
 * each for every topic.
 */
const selectHeads = prepareStatement({
  name: "read_heads",
  values: { topicIds: "bigint[]" },
  build: (value) => sql<Head>`
select ${headColumns} from ${heads} where h.topic_id = any(${value.topicIds})`,
});

export async function readHeads(
  connection: Pick<Connection, "run">,
  topicIds: readonly number[],
): Promise<readonly Head[]> {
  if (topicIds.length === 0) return [];
  return connection.run(selectHeads, { topicIds: `{${topicIds.join(",")}}` });
}
