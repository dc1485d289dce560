import type { StoredSubscription, SubscriptionListRequest } from "../../subscription-store.js";
import type { Database } from "../database/database.js";
import { namesOf } from "../topics/names-of.js";
import { prepareStatement } from "../statement.js";
import { selectSubscriptions, toStoredSubscription } from "./stored-subscription.js";

/** A page by name, compared by bytes (`names-of.ts`). No locks. Index: `subscriptions_name_key`, `topics_pkey`. */
const selectAll = prepareStatement({
  values: { prefix: "text", after: "text", count: "bigint" },
  build: (value) =>
    selectSubscriptions()
      .where((eb) => namesOf(eb.ref("s.name"), value))
      .orderBy("s.name")
      .limit(value.count),
});

/** A page of one topic's subscriptions. No locks. Index: `topics_name_key`, `subscriptions_topic`. */
const selectOfTopic = prepareStatement({
  values: { topic: "text", prefix: "text", after: "text", count: "bigint" },
  build: (value) =>
    selectSubscriptions()
      .where("t.name", "=", value.topic)
      .where((eb) => namesOf(eb.ref("s.name"), value))
      .orderBy("s.name")
      .limit(value.count),
});

export async function listSubscriptions(
  database: Database,
  request: SubscriptionListRequest,
): Promise<readonly StoredSubscription[]> {
  const { prefix, topic, after, count } = request;
  const rows =
    topic === undefined
      ? await database.run(selectAll, { prefix, after, count })
      : await database.run(selectOfTopic, { topic, prefix, after, count });
  return rows.map(toStoredSubscription);
}
