import type { Database, Connection } from "../database/database.js";
import { tables } from "../schema.js";
import { isAnyOf } from "../selection.js";
import { prepareStatement } from "../statement.js";
import { lockAllClaims } from "../claims/lock-all-claims.js";

/** Locks: the row of `subscriptions`, before any claim. Index: `subscriptions_pkey`. */
const deleteOne = prepareStatement({
  values: { subscriptionId: "bigint" },
  build: (value) =>
    tables
      .deleteFrom("subscriptions")
      .where("subscription_id", "=", value.subscriptionId)
      .returning("subscription_id as subscriptionId"),
});

/**
 * Locks: rows of `subscriptions`, after their topic's row. Every creation locks that too, so none can follow.
 * Index: `subscriptions_topic`.
 */
const deleteOfTopic = prepareStatement({
  values: { topicId: "bigint" },
  build: (value) =>
    tables
      .deleteFrom("subscriptions")
      .where("topic_id", "=", value.topicId)
      .returning("subscription_id as subscriptionId"),
});

/** Locks: rows that nobody else can write, since all claims are locked. Index: each table's primary key. */
const deleteContents = prepareStatement({
  values: { subscriptionIds: "bigint[]" },
  build: ({ subscriptionIds }) =>
    tables
      .with("retry", (db) =>
        db.deleteFrom("retries").where((eb) => isAnyOf(eb.ref("subscription_id"), subscriptionIds)),
      )
      .with("parking", (db) =>
        db.deleteFrom("parked").where((eb) => isAnyOf(eb.ref("subscription_id"), subscriptionIds)),
      )
      .with("settlement", (db) =>
        db.deleteFrom("settlements").where((eb) => isAnyOf(eb.ref("subscription_id"), subscriptionIds)),
      )
      .with("member", (db) =>
        db.deleteFrom("members").where((eb) => isAnyOf(eb.ref("subscription_id"), subscriptionIds)),
      )
      .deleteFrom("claims")
      .where((eb) => isAnyOf(eb.ref("subscription_id"), subscriptionIds)),
});

async function deleteContentsOf(connection: Connection, subscriptionIds: readonly number[]): Promise<void> {
  if (subscriptionIds.length === 0) return;
  await lockAllClaims(connection, subscriptionIds);
  await connection.run(deleteContents, { subscriptionIds: `{${subscriptionIds.join(",")}}` });
}

/** False: it did not exist. */
export async function deleteSubscription(database: Database, subscriptionId: number): Promise<boolean> {
  return database.transaction(async (connection) => {
    const deleted = await connection.run(deleteOne, { subscriptionId });
    await deleteContentsOf(
      connection,
      deleted.map((row) => row.subscriptionId),
    );
    return deleted.length > 0;
  });
}

/** All subscriptions of a topic whose row is being deleted. */
export async function deleteSubscriptionsOf(connection: Connection, topicId: number): Promise<void> {
  const deleted = await connection.run(deleteOfTopic, { topicId });
  await deleteContentsOf(
    connection,
    deleted.map((row) => row.subscriptionId),
  );
}
