import { sql } from "kysely";
import type { StoredSubscription } from "../../subscription-store.js";
import type { Database } from "../database/database.js";
import { prepareStatement } from "../statement.js";
import { insertClaims } from "./insert-claims.js";
import { lockAllClaims } from "./lock-all-claims.js";
import { type SubscriptionRow, subscriptionColumns, toStoredSubscription } from "./stored-subscription.js";

/**
 * Locks: the row of `subscriptions`, before any claim; a redrive waits for it, and adds its claims after this commit.
 * Index: `subscriptions_pkey`, `topics_pkey`.
 */
const raiseGeneration = prepareStatement({
  values: { subscriptionId: "bigint", epoch: "bigint" },
  build: (value) => sql<SubscriptionRow>`
update millrace.subscriptions as s set generation = s.generation + 1, epoch = ${value.epoch}
from millrace.topics as t
where s.subscription_id = ${value.subscriptionId} and t.topic_id = s.topic_id
returning ${subscriptionColumns}`,
});

/** Locks: rows that nobody else can write, since all claims are locked. Index: `claims_pkey`, `retries_pkey`. */
const deleteClaims = prepareStatement({
  values: { subscriptionId: "bigint" },
  build: (value) => sql<object>`
with retry as (
  delete from millrace.retries where subscription_id = ${value.subscriptionId}
)
delete from millrace.claims where subscription_id = ${value.subscriptionId}`,
});

/** Claims that were taken before have other ids than those after it: their holders find them lost. */
export async function seekSubscription(
  database: Database,
  subscriptionId: number,
  epoch: number,
  offset: number,
): Promise<StoredSubscription | undefined> {
  return database.transaction(async (session) => {
    const [row] = await session.run(raiseGeneration, { subscriptionId, epoch });
    if (row === undefined) return undefined;
    await lockAllClaims(session, [subscriptionId]);
    await session.run(deleteClaims, { subscriptionId });
    await insertClaims(session, subscriptionId, row.sharing, offset);
    return toStoredSubscription(row);
  });
}
