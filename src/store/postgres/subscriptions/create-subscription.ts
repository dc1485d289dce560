import { sql } from "kysely";
import { MillraceError } from "../../../core/index.js";
import type { NewSubscription, StoredSubscription } from "../../subscription-store.js";
import type { Database } from "../database/database.js";
import { prepareStatement } from "../statement.js";
import { encodeLabels } from "../topics/stored-topic.js";
import { findSubscriptionById } from "./find-subscription.js";
import { insertClaims } from "../claims/insert-claims.js";

/**
 * Keeps the topic from being deleted until the commit; so whoever deletes it finds this subscription. Locks: the row of
 * `topics`, beside changes of its settings. Index: `topics_pkey`, `topic_heads_pkey`.
 */
const holdTopic = prepareStatement({
  values: { topicId: "bigint", epoch: "bigint" },
  build: (value) => sql<{ topicId: number }>`
select t.topic_id as "topicId"
from millrace.topics as t join millrace.topic_heads as h on h.topic_id = t.topic_id
where t.topic_id = ${value.topicId} and h.epoch = ${value.epoch}
for key share of t`,
});

/**
 * Two that create the same name meet in `subscriptions_name_key`: the second waits for the first one's commit, and then
 * writes nothing.
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
  build: (value) => sql<{ subscriptionId: number }>`
insert into millrace.subscriptions (name, topic_id, epoch, sharing, ack_deadline_ms, attempts_max, retry_min_ms,
  retry_max_ms, retry_backlog, labels)
values (${value.name}, ${value.topicId}, ${value.epoch}, ${value.sharing}, ${value.ackDeadlineMs},
  ${value.attemptsMax}, ${value.retryMinMs}, ${value.retryMaxMs}, ${value.retryBacklog}, ${value.labels})
on conflict (name) do nothing
returning subscription_id as "subscriptionId"`,
});

export async function createSubscription(
  database: Database,
  subscription: NewSubscription,
): Promise<StoredSubscription | "exists" | "no-topic"> {
  const { name, topicId, epoch, sharing, policy, labels, fromOffset } = subscription;
  return database.transaction(async (session) => {
    const held = await session.run(holdTopic, { topicId, epoch });
    if (held.length === 0) return "no-topic";
    const [row] = await session.run(insertSubscription, {
      name,
      topicId,
      epoch,
      sharing,
      ...policy,
      labels: encodeLabels(labels),
    });
    if (row === undefined) return "exists";
    await insertClaims(session, { subscriptionId: row.subscriptionId, sharing, fromOffset });
    const created = await findSubscriptionById(session, row.subscriptionId);
    if (created === undefined) {
      throw new MillraceError("internal", `Subscription "${name}" was created and is not there`);
    }
    return created;
  });
}
