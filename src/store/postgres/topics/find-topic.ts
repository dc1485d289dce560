import type { StoredTopic } from "../../topic-store.js";
import type { Connection } from "../database/database.js";
import { isAnyOf } from "../selection.js";
import { prepareStatement } from "../statement.js";
import { selectTopics, toStoredTopic } from "./stored-topic.js";

/** A topic by its name. No locks. Index: `topics_name_key`, `topic_heads_pkey`. */
const selectByName = prepareStatement({
  name: "find_topic",
  values: { name: "text" },
  build: (value) => selectTopics().where("t.name", "=", value.name),
});

/** Topics by their names. No locks. Index: as of `selectByName`, for each. */
const selectByNames = prepareStatement({
  name: "find_topics",
  values: { names: "text[]" },
  build: (value) => selectTopics().where((eb) => isAnyOf(eb.ref("t.name"), value.names)),
});

/** A topic by its id, after a change. No locks. Index: `topics_pkey`, `topic_heads_pkey`. */
const selectById = prepareStatement({
  values: { topicId: "bigint" },
  build: (value) => selectTopics().where("t.topic_id", "=", value.topicId),
});

export async function findTopic(connection: Pick<Connection, "run">, name: string): Promise<StoredTopic | undefined> {
  const [row] = await connection.run(selectByName, { name });
  return row && toStoredTopic(row);
}

export async function findTopics(
  connection: Pick<Connection, "run">,
  names: readonly string[],
): Promise<ReadonlyMap<string, StoredTopic>> {
  const rows = await connection.run(selectByNames, { names });
  return new Map(rows.map((row) => [row.name, toStoredTopic(row)]));
}

export async function findTopicById(
  connection: Pick<Connection, "run">,
  topicId: number,
): Promise<StoredTopic | undefined> {
  const [row] = await connection.run(selectById, { topicId });
  return row && toStoredTopic(row);
}
