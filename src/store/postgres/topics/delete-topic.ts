import { sql } from "kysely";
import type { Database } from "../database/database.js";
import { tables } from "../schema.js";
import { prepareStatement } from "../statement.js";
import { deleteSubscriptionsOf } from "../subscriptions/delete-subscription.js";
import { lockHead } from "./lock-head.js";
import { selectHeads } from "./stored-topic.js";

/** Locks: the row of `topics`, which every transaction that takes both takes before the head's row. Index: `topics_pkey`. */
const deleteSettings = prepareStatement({
  values: { topicId: "bigint" },
  build: (value) => tables.deleteFrom("topics").where("topic_id", "=", value.topicId).returning("topic_id as topicId"),
});

/**
 * Takes the head away, and leaves a note of what it leaves. Locks: the head's row, by the statement before: an append
 * under way commits before it, and is in the note; a later one finds no row. So no record can come after the note.
 * Index: `topic_heads_pkey`, `blocks_pkey`, `removals_pkey`.
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

/** With its subscriptions. False: it was gone. */
export async function deleteTopic(database: Database, topicId: number): Promise<boolean> {
  return database.transaction(async (session) => {
    const deleted = await session.run(deleteSettings, { topicId });
    if (deleted.length === 0) return false;
    // Before the head: a Commit takes claims first, and heads then.
    await deleteSubscriptionsOf(session, topicId);
    await lockHead(session, topicId);
    await session.run(deleteHead, { topicId });
    return true;
  });
}
