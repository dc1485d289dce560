import { sql } from "kysely";
import type { StoredClaim } from "../../subscription-store.js";
import type { Database } from "../database/database.js";
import { prepareStatement } from "../statement.js";
import { type ClaimRow, claimColumns, toStoredClaim } from "./stored-claim.js";

/**
 * Takes claims that have no session, or one that was ended.
 *
 * Locks: the claims' rows, by id. Two that take the same one at once: the second waits, and then the claim has not the
 * holder any more with which it was seen free, so it is left out. (Asking again whether its holder is alive would ask the
 * snapshot, which may be older than that session.) A seek that was waited for has deleted it.
 * A session that is ended meanwhile holds nothing: what it took here is free again.
 * Index: `claims_pkey`, `sessions_pkey`, `subscriptions_pkey`.
 */
const updateFree = prepareStatement({
  name: "take_claims",
  values: { subscriptionId: "bigint", session: "bigint", generation: "bigint", claimIds: "bigint[]" },
  build: (value) => sql<ClaimRow>`
with seen as materialized (
  select c.claim_id, c.session
  from millrace.claims as c
  where c.subscription_id = ${value.subscriptionId} and c.claim_id = any(${value.claimIds})
    and (c.session is null
      or not exists (select from millrace.sessions as alive where alive.session = c.session))
    and exists (select from millrace.sessions as own where own.session = ${value.session})
    and exists (select from millrace.subscriptions as s
      where s.subscription_id = ${value.subscriptionId} and s.generation = ${value.generation})
), free as materialized (
  select c.claim_id
  from millrace.claims as c join seen on seen.claim_id = c.claim_id
  where c.subscription_id = ${value.subscriptionId} and c.session is not distinct from seen.session
  order by c.claim_id
  for update of c
)
update millrace.claims as c set session = ${value.session}
from free where c.subscription_id = ${value.subscriptionId} and c.claim_id = free.claim_id
returning ${claimColumns}`,
});

export async function takeClaims(
  database: Database,
  subscriptionId: number,
  session: number,
  generation: number,
  claimIds: readonly number[],
): Promise<readonly StoredClaim[]> {
  if (claimIds.length === 0) return [];
  const ids = `{${claimIds.join(",")}}`;
  const rows = await database.run(updateFree, { subscriptionId, session, generation, claimIds: ids });
  return rows.map(toStoredClaim).toSorted((a, b) => a.claimId - b.claimId);
}
