import { sql } from "kysely";
import type { StoredTopic, TopicListRequest } from "../../topic-store.js";
import type { Database } from "../database/database.js";
import { prepareStatement } from "../statement.js";
import { type TopicRow, toStoredTopic, topicColumns, topicTables } from "./stored-topic.js";

/**
 * A page of topics by name, bytewise. No locks. Index: `topics_name_key`, whose collation "C" makes a prefix a range:
 * it begins at the prefix or after the page before, and `starts_with` ends it (names hold `_` and `.`, which a pattern
 * would read as more than themselves).
 */
const selectTopics = prepareStatement({
  values: { prefix: "text", after: "text", count: "bigint" },
  build: (value) => sql<TopicRow>`
select ${topicColumns} from ${topicTables}
where t.name > ${value.after} and t.name >= ${value.prefix} and t.name < ${value.prefix} || '~'
  and starts_with(t.name, ${value.prefix})
order by t.name
limit ${value.count}`,
});

export async function listTopics(database: Database, request: TopicListRequest): Promise<readonly StoredTopic[]> {
  const { prefix, after, count } = request;
  const rows = await database.run(selectTopics, { prefix, after, count });
  return rows.map(toStoredTopic);
}
