import { sql } from "kysely";
import type { StoredSubscription, SubscriptionListRequest } from "../../subscription-store.js";
import type { Database } from "../database/database.js";
import { prepareStatement } from "../statement.js";
import {
  type SubscriptionRow,
  subscriptionColumns,
  subscriptionTables,
  toStoredSubscription,
} from "./stored-subscription.js";

/** A page by name, bytewise, as `list-topics.ts` has it. No locks. Index: `subscriptions_name_key`, `topics_pkey`. */
const selectAll = prepareStatement({
  values: { prefix: "text", after: "text", count: "bigint" },
  build: (value) => sql<SubscriptionRow>`
select ${subscriptionColumns} from ${subscriptionTables}
where s.name > ${value.after} and s.name >= ${value.prefix} and s.name < ${value.prefix} || '~'
  and starts_with(s.name, ${value.prefix})
order by s.name
limit ${value.count}`,
});

/** The same, of one topic. No locks. Index: `topics_name_key`, `subscriptions_topic`. */
const selectOfTopic = prepareStatement({
  values: { topic: "text", prefix: "text", after: "text", count: "bigint" },
  build: (value) => sql<SubscriptionRow>`
select ${subscriptionColumns} from ${subscriptionTables}
where t.name = ${value.topic} and s.name > ${value.after} and s.name >= ${value.prefix}
  and s.name < ${value.prefix} || '~' and starts_with(s.name, ${value.prefix})
order by s.name
limit ${value.count}`,
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
