import { sql } from "kysely";
import { MillraceError } from "../../../core/index.js";
import type { AutoCreatedTopic, NewTopic, StoredTopic } from "../../topic-store.js";
import type { Database } from "../database/database.js";
import { tables } from "../schema.js";
import { prepareStatement } from "../statement.js";
import { findTopic, findTopics } from "./find-topic.js";
import { encodeLabels } from "./stored-topic.js";

/**
 * Serializes the creation of topics by publishing on all nodes, so that their count is exact. Held until the commit.
 * The number is random, since other programs may use the same database.
 */
const lockAutoCreation = prepareStatement({
  values: {},
  build: () => sql<object>`select pg_advisory_xact_lock(7022718493152117)`,
});

/** No locks but the advisory one. Index: `topics_auto_created`, which has only these topics. */
const countAutoCreated = prepareStatement({
  values: {},
  build: () =>
    tables
      .selectFrom("topics")
      .where((eb) => eb.ref("auto_created"))
      .select((eb) => eb.fn.countAll<number>().as("count")),
});

/**
 * A topic and its empty head. Locks: its new rows. Of two transactions that create one name, the second waits at
 * `topics_name_key` for the first one's commit, and then writes nothing.
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
  build: (value) =>
    tables
      .with("topic", (db) =>
        db
          .insertInto("topics")
          .values({
            name: value.name,
            labels: value.labels,
            record_bytes: value.recordBytes,
            batch_records: value.batchRecords,
            batch_bytes: value.batchBytes,
            retention_age_ms: value.retentionAgeMs,
            retention_records: value.retentionRecords,
            retention_bytes: value.retentionBytes,
            auto_created: sql.lit(false),
          })
          .onConflict((conflict) => conflict.column("name").doNothing())
          .returning("topic_id"),
      )
      .insertInto("topic_heads")
      .columns(["topic_id", "epoch", "keyed"])
      .expression((eb) => eb.selectFrom("topic").select(["topic_id", value.epoch.as("epoch"), value.keyed.as("keyed")]))
      .returning("topic_id as topicId"),
});

export async function createTopic(database: Database, topic: NewTopic): Promise<StoredTopic | "exists"> {
  return database.transaction(async (connection) => {
    if ((await findTopic(connection, topic.name)) !== undefined) return "exists";
    const rows = await connection.run(insertTopic, {
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
    const created = await findTopic(connection, topic.name);
    if (created === undefined)
      throw new MillraceError("internal", `Topic "${topic.name}" was created and is not there`);
    return created;
  });
}

/**
 * Topics with default settings, and their empty heads. Existing names are skipped. Locks: the new rows, in the order of
 * names: two transactions that create the same names would deadlock in different orders. Index: `topics_name_key`.
 */
const insertTopics = prepareStatement({
  values: { names: "text[]", epochs: "bigint[]" },
  build: (value) =>
    tables
      .with(
        (cte) => cte("asked").materialized(),
        () => sql<AutoCreatedTopic>`(select * from unnest(${value.names}, ${value.epochs}) as asked (name, epoch))`,
      )
      .with("topic", (db) =>
        db
          .insertInto("topics")
          .columns(["name", "auto_created"])
          .expression((eb) =>
            eb
              .selectFrom("asked")
              .select(["name", sql.lit(true).as("auto_created")])
              .orderBy("name", (order) => order.collate("C")),
          )
          .onConflict((conflict) => conflict.column("name").doNothing())
          .returning(["topic_id", "name"]),
      )
      .insertInto("topic_heads")
      .columns(["topic_id", "epoch"])
      .expression((eb) =>
        eb.selectFrom("topic").innerJoin("asked", "asked.name", "topic.name").select(["topic.topic_id", "asked.epoch"]),
      ),
});

export async function createTopics(
  database: Database,
  topics: readonly AutoCreatedTopic[],
  autoCreatedMax: number,
): Promise<ReadonlyMap<string, StoredTopic>> {
  const names = topics.map(({ name }) => name);
  return database.transaction(async (connection) => {
    await connection.run(lockAutoCreation, {});
    const [counted] = await connection.run(countAutoCreated, {});
    const room = Math.max(0, autoCreatedMax - (counted?.count ?? 0));
    // Topics that exist need no room.
    const found = topics.length > room ? await findTopics(connection, names) : new Map<string, StoredTopic>();
    const byName = new Map(topics.map((topic) => [topic.name, topic]));
    const missing = [...byName.values()].filter(({ name }) => !found.has(name)).slice(0, room);
    if (missing.length > 0) {
      await connection.run(insertTopics, {
        names: missing.map(({ name }) => name),
        epochs: `{${missing.map(({ epoch }) => epoch).join(",")}}`,
      });
    }
    return findTopics(connection, names);
  });
}
