import { sql } from "kysely";
import type { StoredTopic, TopicChange } from "../../topic-store.js";
import type { Database } from "../database/database.js";
import { tables } from "../schema.js";
import { prepareStatement } from "../statement.js";
import { findTopicById } from "./find-topic.js";
import { lockHead } from "./lock-head.js";
import { encodeLabels, selectHeads } from "./stored-topic.js";

/** Null keeps a setting. Locks: the row of `topics`, which no append waits for. Index: `topics_pkey`. */
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
  build: (value) =>
    tables
      .updateTable("topics as t")
      .set(({ fn }) => ({
        labels: fn.coalesce(value.labels, "t.labels"),
        record_bytes: fn.coalesce(value.recordBytes, "t.record_bytes"),
        batch_records: fn.coalesce(value.batchRecords, "t.batch_records"),
        batch_bytes: fn.coalesce(value.batchBytes, "t.batch_bytes"),
        retention_age_ms: fn.coalesce(value.retentionAgeMs, "t.retention_age_ms"),
        retention_records: fn.coalesce(value.retentionRecords, "t.retention_records"),
        retention_bytes: fn.coalesce(value.retentionBytes, "t.retention_bytes"),
      }))
      .where("t.topic_id", "=", value.topicId)
      .returning("t.topic_id as topicId"),
});

/**
 * Makes appends that were decided on older settings fail and be decided again. Locks: the head's row, after the row of
 * `topics`: every transaction takes them in this order. Index: `topic_heads_pkey`.
 */
const raiseVersion = prepareStatement({
  values: { topicId: "bigint" },
  build: (value) =>
    tables
      .updateTable("topic_heads")
      .set((eb) => ({ version: eb("version", "+", sql.lit(1)) }))
      .where("topic_id", "=", value.topicId),
});

/**
 * Turns a topic keyed. From its commit on, appends keep the state: appends of any node that were decided earlier write
 * nothing. The state of the existing records is built later. Locks: the head's row, taken by the statement before,
 * after the row of `topics`. An append that was running committed first, so its records are below `from_offset`. Index:
 * `topic_heads_pkey`, `blocks_pkey`, `state_builds_pkey`.
 */
const turnKeyed = prepareStatement({
  values: { topicId: "bigint" },
  build: (value) =>
    tables
      .with(
        (cte) => cte("log").materialized(),
        () =>
          selectHeads()
            .where("h.topic_id", "=", value.topicId)
            .where((eb) => eb.not("h.keyed")),
      )
      .with("turned", (db) =>
        db
          .updateTable("topic_heads as h")
          .from("log")
          .set((eb) => ({
            keyed: sql.lit(true),
            version: eb("h.version", "+", sql.lit(1)),
            tombstones_from: eb.ref("log.nextOffset"),
          }))
          .whereRef("h.topic_id", "=", "log.topicId"),
      )
      .insertInto("state_builds")
      .columns(["topic_id", "from_offset", "next_offset"])
      .expression((eb) =>
        eb
          .selectFrom("log")
          .select(["log.topicId", "log.nextOffset as from_offset", "log.nextOffset as next_offset"])
          .whereRef("log.earliestOffset", "<", "log.nextOffset"),
      ),
});

export async function updateTopic(
  database: Database,
  topicId: number,
  change: TopicChange,
): Promise<StoredTopic | undefined> {
  const { labels, limits, keyed, retention } = change;
  return database.transaction(async (connection) => {
    const updated = await connection.run(updateSettings, {
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
    if (limits !== undefined) await connection.run(raiseVersion, { topicId });
    if (keyed === true) {
      await lockHead(connection, topicId);
      await connection.run(turnKeyed, { topicId });
    }
    return findTopicById(connection, topicId);
  });
}
