import { MillraceError } from "../../../core/index.js";
import type { NewSubscription, StoredSubscription } from "../../subscription-store.js";
import type { Database } from "../database/database.js";
import { tables } from "../schema.js";
import { prepareStatement } from "../statement.js";
import { encodeLabels } from "../topics/stored-topic.js";
import { findSubscriptionById } from "./find-subscription.js";
import { insertClaims } from "../claims/insert-claims.js";

/**
 * Prevents the topic's deletion until the commit, so that the deletion finds this subscription. Locks: the row of
 * `topics`, in a mode that allows changes of its settings. Index: `topics_pkey`, `topic_heads_pkey`.
 */
const holdTopic = prepareStatement({
  values: { topicId: "bigint", epoch: "bigint" },
  build: (value) =>
    tables
      .selectFrom("topics as t")
      .innerJoin("topic_heads as h", "h.topic_id", "t.topic_id")
      .where("t.topic_id", "=", value.topicId)
      .where("h.epoch", "=", value.epoch)
      .select("t.topic_id as topicId")
      .forKeyShare("t"),
});

/**
 * Locks: the new row. Of two transactions that create one name, the second waits at `subscriptions_name_key` for the
 * first one's commit, and then writes nothing.
 */
const insertSubscription = prepareStatement({
  values: {
    name: "text",
    topicId: "bigint",
    epoch: "bigint",
    sharing: "text",
    ackDeadlineMs: "bigint",
    attemptsMax: "bigint",
    retryMinMs: "bigint",
    retryMaxMs: "bigint",
    retryBacklog: "bigint",
    labels: "jsonb",
  },
  build: (value) =>
    tables
      .insertInto("subscriptions")
      .values({
        name: value.name,
        topic_id: value.topicId,
        epoch: value.epoch,
        sharing: value.sharing,
        ack_deadline_ms: value.ackDeadlineMs,
        attempts_max: value.attemptsMax,
        retry_min_ms: value.retryMinMs,
        retry_max_ms: value.retryMaxMs,
        retry_backlog: value.retryBacklog,
        labels: value.labels,
      })
      .onConflict((conflict) => conflict.column("name").doNothing())
      .returning("subscription_id as subscriptionId"),
});

export async function createSubscription(
  database: Database,
  subscription: NewSubscription,
): Promise<StoredSubscription | "exists" | "no-topic"> {
  const { name, topicId, epoch, sharing, policy, labels, fromOffset } = subscription;
  return database.transaction(async (connection) => {
    const held = await connection.run(holdTopic, { topicId, epoch });
    if (held.length === 0) return "no-topic";
    const [row] = await connection.run(insertSubscription, {
      name,
      topicId,
      epoch,
      sharing,
      ...policy,
      labels: encodeLabels(labels),
    });
    if (row === undefined) return "exists";
    await insertClaims(connection, { subscriptionId: row.subscriptionId, sharing, fromOffset });
    const created = await findSubscriptionById(connection, row.subscriptionId);
    if (created === undefined) {
      throw new MillraceError("internal", `Subscription "${name}" was created and is not there`);
    }
    return created;
  });
}
