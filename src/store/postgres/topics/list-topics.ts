import type { StoredTopic, TopicListRequest } from "../../topic-store.js";
import type { Database } from "../database/database.js";
import { prepareStatement } from "../statement.js";
import { namesOf } from "./names-of.js";
import { selectTopics, toStoredTopic } from "./stored-topic.js";

/** A page of topics by name. No locks. Index: `topics_name_key`, as `namesOf` says. */
const selectPage = prepareStatement({
  values: { prefix: "text", after: "text", count: "bigint" },
  build: (value) =>
    selectTopics()
      .where((eb) => namesOf(eb.ref("t.name"), value))
      .orderBy("t.name")
      .limit(value.count),
});

export async function listTopics(database: Database, request: TopicListRequest): Promise<readonly StoredTopic[]> {
  const rows = await database.run(selectPage, request);
  return rows.map(toStoredTopic);
}
