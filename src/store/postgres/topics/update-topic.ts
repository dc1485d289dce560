import { sql } from "kysely";
import type { StoredTopic, TopicChange } from "../../topic-store.js";
import type { Database } from "../database/database.js";
import { prepareStatement } from "../statement.js";
import { findTopicById } from "./find-topic.js";
import { lockHead } from "./lock-head.js";
import { encodeLabels, heads, logEnd } from "./stored-topic.js";

/** Null keeps what is there. Locks: the row of `topics`; nothing that an append waits for. Index: `topics_pkey`. */
const updateSettings = prepareStatement({
  values: {
    topicId: "bigint",
    labels: "jsonb or null",
    recordBytes: "bigint or null",
    batchRecords: "bigint or null",
    batchBytes: "bigint or null",
    retentionAgeMs: "bigint or null",
    retentionRecords: "bigint or null",
    retentionBytes: "bigint or null",
  },
  build: (value) => sql<{ topicId: number }>`
update millrace.topics as t
set labels = coalesce(${value.labels}, t.labels), record_bytes = coalesce(${value.recordBytes}, t.record_bytes),
    batch_records = coalesce(${value.batchRecords}, t.batch_records),
    batch_bytes = coalesce(${value.batchBytes}, t.batch_bytes),
    retention_age_ms = coalesce(${value.retentionAgeMs}, t.retention_age_ms),
    retention_records = coalesce(${value.retentionRecords}, t.retention_records),
    retention_bytes = coalesce(${value.retentionBytes}, t.retention_bytes)
where t.topic_id = ${value.topicId}
returning t.topic_id as "topicId"`,
});

/**
 * Makes appends that were decided on the older settings miss. Locks: the head's row, after that of `topics`; whatever
 * takes both takes them in this order. Index: `topic_heads_pkey`.
 */
const raiseVersion = prepareStatement({
  values: { topicId: "bigint" },
  build: (value) => sql<object>`
update millrace.topic_heads set version = version + 1 where topic_id = ${value.topicId}`,
});

/**
 * From its commit on, appends keep the state: those that were decided before miss, on any node. What the topic holds by
 * then is left to be built. Locks: the head's row, by the statement before, after that of `topics`; an append under way
 * commits before it, and is below `from_offset`. Index: `topic_heads_pkey`, `blocks_pkey`, `state_builds_pkey`.
 */
const turnKeyed = prepareStatement({
  values: { topicId: "bigint" },
  build: (value) => sql<object>`
with log as materialized (
  select h.topic_id, h.earliest_offset, ${logEnd.offset} as next_offset from ${heads}
  where h.topic_id = ${value.topicId} and not h.keyed
), turned as (
  update millrace.topic_heads as h set keyed = true, version = h.version + 1, tombstones_from = log.next_offset
  from log where h.topic_id = log.topic_id
)
insert into millrace.state_builds (topic_id, from_offset, next_offset)
select topic_id, next_offset, next_offset from log where earliest_offset < next_offset`,
});

export async function updateTopic(
  database: Database,
  topicId: number,
  change: TopicChange,
): Promise<StoredTopic | undefined> {
  const { labels, limits, keyed, retention } = change;
  return database.transaction(async (session) => {
    const updated = await session.run(updateSettings, {
      topicId,
      labels: labels === undefined ? null : encodeLabels(labels),
      recordBytes: limits?.recordBytes ?? null,
      batchRecords: limits?.batchRecords ?? null,
      batchBytes: limits?.batchBytes ?? null,
      retentionAgeMs: retention?.ageMs ?? null,
      retentionRecords: retention?.records ?? null,
      retentionBytes: retention?.bytes ?? null,
    });
    if (updated.length === 0) return undefined;
    if (limits !== undefined) await session.run(raiseVersion, { topicId });
    if (keyed === true) {
      await lockHead(session, topicId);
      await session.run(turnKeyed, { topicId });
    }
    return findTopicById(session, topicId);
  });
}
