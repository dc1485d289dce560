import type { StoredSubscription, SubscriptionChange } from "../../subscription-store.js";
import type { Database } from "../database/database.js";
import { tables } from "../schema.js";
import { prepareStatement } from "../statement.js";
import { encodeLabels } from "../topics/stored-topic.js";
import { subscriptionSelection, toStoredSubscription } from "./stored-subscription.js";

/**
 * Null keeps a setting. Locks: the row of `subscriptions`, which no acknowledgement waits for.
 * Index: `subscriptions_pkey`, `topics_pkey`.
 */
const updateSettings = prepareStatement({
  values: {
    subscriptionId: "bigint",
    ackDeadlineMs: "bigint or null",
    attemptsMax: "bigint or null",
    retryMinMs: "bigint or null",
    retryMaxMs: "bigint or null",
    retryBacklog: "bigint or null",
    labels: "jsonb or null",
    isPaused: "boolean or null",
  },
  build: (value) =>
    tables
      .updateTable("subscriptions as s")
      .from("topics as t")
      .set(({ fn }) => ({
        ack_deadline_ms: fn.coalesce(value.ackDeadlineMs, "s.ack_deadline_ms"),
        attempts_max: fn.coalesce(value.attemptsMax, "s.attempts_max"),
        retry_min_ms: fn.coalesce(value.retryMinMs, "s.retry_min_ms"),
        retry_max_ms: fn.coalesce(value.retryMaxMs, "s.retry_max_ms"),
        retry_backlog: fn.coalesce(value.retryBacklog, "s.retry_backlog"),
        labels: fn.coalesce(value.labels, "s.labels"),
        paused: fn.coalesce(value.isPaused, "s.paused"),
      }))
      .where("s.subscription_id", "=", value.subscriptionId)
      .whereRef("t.topic_id", "=", "s.topic_id")
      .returning(subscriptionSelection),
});

export async function updateSubscription(
  database: Database,
  subscriptionId: number,
  { policy, labels, isPaused }: SubscriptionChange,
): Promise<StoredSubscription | undefined> {
  const [row] = await database.run(updateSettings, {
    subscriptionId,
    ackDeadlineMs: policy?.ackDeadlineMs ?? null,
    attemptsMax: policy?.attemptsMax ?? null,
    retryMinMs: policy?.retryMinMs ?? null,
    retryMaxMs: policy?.retryMaxMs ?? null,
    retryBacklog: policy?.retryBacklog ?? null,
    labels: labels === undefined ? null : encodeLabels(labels),
    isPaused: isPaused ?? null,
  });
  return row && toStoredSubscription(row);
}
