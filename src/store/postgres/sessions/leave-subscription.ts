import { sql } from "kysely";
import type { Database } from "../database/database.js";
import { prepareStatement } from "../statement.js";

/**
 * Locks: the session's own row of `members`, and its claims' rows, by id. It also frees claims that the session
 * received by a statement whose answer was lost. Index: `members_pkey`, `claims_pkey`.
 */
const freeClaims = prepareStatement({
  name: "leave_subscription",
  values: { subscriptionId: "bigint", session: "bigint" },
  build: (value) => sql<object>`
with held as materialized (
  select c.claim_id from millrace.claims as c
  where c.subscription_id = ${value.subscriptionId} and c.session = ${value.session}
  order by c.claim_id
  for update
), membership as (
  delete from millrace.members where subscription_id = ${value.subscriptionId} and session = ${value.session}
)
update millrace.claims as c set session = null
from held where c.subscription_id = ${value.subscriptionId} and c.claim_id = held.claim_id`,
});

export async function leaveSubscription(database: Database, subscriptionId: number, session: number): Promise<void> {
  await database.run(freeClaims, { subscriptionId, session });
}
