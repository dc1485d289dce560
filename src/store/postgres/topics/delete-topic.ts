import { sql } from "kysely";
import type { Database } from "../database/database.js";
import { tables } from "../schema.js";
import { prepareStatement } from "../statement.js";
import { deleteSubscriptionsOf } from "../subscriptions/delete-subscription.js";
import { lockHead } from "./lock-head.js";
import { selectHeads } from "./stored-topic.js";

/** Locks: the row of `topics`. Every transaction takes it before the head's row. Index: `topics_pkey`. */
const deleteSettings = prepareStatement({
  values: { topicId: "bigint" },
  build: (value) => tables.deleteFrom("topics").where("topic_id", "=", value.topicId).returning("topic_id as topicId"),
});

/**
 * Deletes the head, and records the remaining blocks in `removals`. Locks: the head's row, taken by the statement
 * before. An append that was running committed first, so its blocks are recorded; a later append finds no head. So no
 * block can be missed. Index: `topic_heads_pkey`, `blocks_pkey`, `removals_pkey`.
 */
const deleteHead = prepareStatement({
  values: { topicId: "bigint" },
  build: (value) =>
    tables
      .with(
        (cte) => cte("log").materialized(),
        () => selectHeads().select("h.front").where("h.topic_id", "=", value.topicId),
      )
      .with("gone", (db) => db.deleteFrom("topic_heads as h").using("log").whereRef("h.topic_id", "=", "log.topicId"))
      .insertInto("removals")
      .columns(["topic_id", "from_offset", "to_offset", "whole_topic"])
      .expression((eb) =>
        eb.selectFrom("log").select(["log.topicId", "log.front", "log.nextOffset", sql.lit(true).as("whole_topic")]),
      )
      .onConflict((conflict) =>
        conflict
          .column("topic_id")
          .doUpdateSet((eb) => ({ to_offset: eb.ref("excluded.to_offset"), whole_topic: sql.lit(true) })),
      ),
});

/** Deletes a topic and its subscriptions. False: it did not exist. */
export async function deleteTopic(database: Database, topicId: number): Promise<boolean> {
  return database.transaction(async (connection) => {
    const deleted = await connection.run(deleteSettings, { topicId });
    if (deleted.length === 0) return false;
    // Before the head: a Commit locks claims first, then heads.
    await deleteSubscriptionsOf(connection, topicId);
    await lockHead(connection, topicId);
    await connection.run(deleteHead, { topicId });
    return true;
  });
}
