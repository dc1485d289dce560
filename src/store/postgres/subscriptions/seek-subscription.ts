import { sql } from "kysely";
import type { Sharing } from "../../../core/index.js";
import type { SeekRequest, StoredSubscription } from "../../subscription-store.js";
import type { Database } from "../database/database.js";
import { prepareStatement } from "../statement.js";
import { insertClaims } from "../claims/insert-claims.js";
import { lockAllClaims } from "../claims/lock-all-claims.js";
import { type SubscriptionRow, subscriptionColumns, toStoredSubscription } from "./stored-subscription.js";

/** What attempts of before a seek are raised to at most: room is left for those after it, which are 32 bits on the wire. */
const attemptsBeforeMax = 2_000_000_000;

/**
 * Locks: the row of `subscriptions`, before any claim; a redrive waits for it, and adds its claims after this commit.
 * Index: `subscriptions_pkey`.
 */
const raiseGeneration = prepareStatement({
  values: { subscriptionId: "bigint", epoch: "bigint" },
  build: (value) => sql<{ sharing: Sharing }>`
update millrace.subscriptions set generation = generation + 1, epoch = ${value.epoch}
where subscription_id = ${value.subscriptionId}
returning sharing`,
});

/**
 * Forgets claims and retries, and raises what is added to attempts above every attempt of before: of a record that was
 * handed out again that is one more than its row in `retries` says. Of one that is settled the row is gone; it had
 * `attempts_max` at most (more only if that was lowered since, or if it was redriven).
 *
 * Runs after the locks, so that it sees the retries that they waited for. Locks: rows that nobody else can write, since all
 * claims are locked. Index: `claims_pkey`, `settlements_pkey`, `retries_pkey`, `subscriptions_pkey`,
 * `topics_pkey`.
 */
const forgetClaims = prepareStatement({
  values: { subscriptionId: "bigint", attemptsBeforeMax: "bigint" },
  build: (value) => sql<SubscriptionRow>`
with retry as (
  delete from millrace.retries where subscription_id = ${value.subscriptionId} returning deliveries
), claim as (
  delete from millrace.claims where subscription_id = ${value.subscriptionId}
), settlement as (
  delete from millrace.settlements where subscription_id = ${value.subscriptionId}
)
update millrace.subscriptions as s
set attempts_before = least(${value.attemptsBeforeMax},
  s.attempts_before + 1 + greatest(s.attempts_max, (select max(deliveries) from retry)))
from millrace.topics as t
where s.subscription_id = ${value.subscriptionId} and t.topic_id = s.topic_id
returning ${subscriptionColumns}`,
});

/** Claims that were taken before have other ids than those after it: their holders find them lost. */
export async function seekSubscription(
  database: Database,
  { subscriptionId, epoch, offset }: SeekRequest,
): Promise<StoredSubscription | undefined> {
  return database.transaction(async (session) => {
    const [sought] = await session.run(raiseGeneration, { subscriptionId, epoch });
    if (sought === undefined) return undefined;
    await lockAllClaims(session, [subscriptionId]);
    const [row] = await session.run(forgetClaims, { subscriptionId, attemptsBeforeMax });
    await insertClaims(session, { subscriptionId, sharing: sought.sharing, fromOffset: offset });
    return row && toStoredSubscription(row);
  });
}
