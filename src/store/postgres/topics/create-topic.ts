import { sql } from "kysely";
import { MillraceError } from "../../../core/index.js";
import type { AutoCreatedTopic, NewTopic, StoredTopic } from "../../topic-store.js";
import type { Database } from "../database/database.js";
import { prepareStatement } from "../statement.js";
import { findTopic, findTopics } from "./find-topic.js";
import { encodeLabels } from "./stored-topic.js";

/**
 * Makes those wait who create topics by publishing, on any node, so that their count is exact. Held until the commit.
 * The number is ours at random; a database that is shared has other locks.
 */
const lockAutoCreation = prepareStatement({
  values: {},
  build: () => sql<object>`select pg_advisory_xact_lock(7022718493152117)`,
});

/** Index: `topics_auto_created`, which holds only those. */
const countAutoCreated = prepareStatement({
  values: {},
  build: () => sql<{ count: number }>`select count(*) as count from millrace.topics where auto_created`,
});

/**
 * A topic and its empty head. Two that create the same name meet in `topics_name_key`: the second waits for the first
 * one's commit, and then writes nothing.
 */
const insertTopic = prepareStatement({
  values: {
    name: "text",
    epoch: "bigint",
    labels: "jsonb",
    recordBytes: "bigint",
    batchRecords: "bigint",
    batchBytes: "bigint",
    retentionAgeMs: "bigint",
    retentionRecords: "bigint",
    retentionBytes: "bigint",
    keyed: "boolean",
  },
  build: (value) => sql<{ topicId: number }>`
with topic as (
  insert into millrace.topics (name, labels, record_bytes, batch_records, batch_bytes,
    retention_age_ms, retention_records, retention_bytes, auto_created)
  values (${value.name}, ${value.labels}, ${value.recordBytes}, ${value.batchRecords}, ${value.batchBytes},
    ${value.retentionAgeMs}, ${value.retentionRecords}, ${value.retentionBytes}, false)
  on conflict (name) do nothing
  returning topic_id
)
insert into millrace.topic_heads (topic_id, epoch, keyed)
select topic_id, ${value.epoch}, ${value.keyed} from topic
returning topic_id as "topicId"`,
});

export async function createTopic(database: Database, topic: NewTopic): Promise<StoredTopic | "exists"> {
  return database.transaction(async (session) => {
    if ((await findTopic(session, topic.name)) !== undefined) return "exists";
    const rows = await session.run(insertTopic, {
      name: topic.name,
      epoch: topic.epoch,
      labels: encodeLabels(topic.labels),
      ...topic.limits,
      retentionAgeMs: topic.retention.ageMs,
      retentionRecords: topic.retention.records,
      retentionBytes: topic.retention.bytes,
      keyed: topic.keyed,
    });
    if (rows.length === 0) return "exists";
    const created = await findTopic(session, topic.name);
    if (created === undefined)
      throw new MillraceError("internal", `Topic "${topic.name}" was created and is not there`);
    return created;
  });
}

/**
 * Topics with nothing said of them, and their empty heads; a name that is there already gives none. In the order of names,
 * so that two that create the same ones do not wait for each other in a circle.
 */
const insertTopics = prepareStatement({
  values: { names: "text[]", epochs: "bigint[]" },
  build: (value) => sql<object>`
with asked as materialized (
  select * from unnest(${value.names}, ${value.epochs}) as asked (name, epoch)
), topic as (
  insert into millrace.topics (name, auto_created)
  select name, true from asked order by name collate "C"
  on conflict (name) do nothing
  returning topic_id, name
)
insert into millrace.topic_heads (topic_id, epoch)
select topic.topic_id, asked.epoch from topic join asked on asked.name = topic.name`,
});

export async function createTopics(
  database: Database,
  topics: readonly AutoCreatedTopic[],
  autoCreatedMax: number,
): Promise<ReadonlyMap<string, StoredTopic>> {
  const names = topics.map(({ name }) => name);
  return database.transaction(async (session) => {
    await session.run(lockAutoCreation, {});
    const [counted] = await session.run(countAutoCreated, {});
    const room = Math.max(0, autoCreatedMax - (counted?.count ?? 0));
    // Those that are there need no room.
    const found = topics.length > room ? await findTopics(session, names) : new Map<string, StoredTopic>();
    const byName = new Map(topics.map((topic) => [topic.name, topic]));
    const missing = [...byName.values()].filter(({ name }) => !found.has(name)).slice(0, room);
    if (missing.length > 0) {
      await session.run(insertTopics, {
        names: missing.map(({ name }) => name),
        epochs: `{${missing.map(({ epoch }) => epoch).join(",")}}`,
      });
    }
    return findTopics(session, names);
  });
}
