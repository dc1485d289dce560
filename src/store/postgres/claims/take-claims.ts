import { sql } from "kysely";
import type { StoredClaim, TakeRequest } from "../../claim-store.js";
import type { Database } from "../database/database.js";
import { prepareStatement } from "../statement.js";
import { foldSettlements } from "./settlements.js";

/**
 * Takes claims that have no session, or one that was ended.
 *
 * Locks: the claims' rows, by id. If two sessions take one claim at once, the second waits. The claim then has another
 * holder than the one with which it was seen as free, so it is left out. (A second check of whether that holder is
 * alive would read the snapshot, which may be older than its session.) A claim that a seek deleted meanwhile is left
 * out too. If this session is ended meanwhile, the claims that it takes here are free again.
 * Index: `claims_pkey`, `sessions_pkey`, `subscriptions_pkey`.
 */
const updateFree = prepareStatement({
  name: "take_claims",
  values: { subscriptionId: "bigint", session: "bigint", generation: "bigint", claimIds: "bigint[]" },
  build: (value) => sql<{ claimId: number }>`
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
returning c.claim_id as "claimId"`,
});

/**
 * Deletes empty claims whose holder ended before it deleted them. Locks: their rows, already held. Index:
 * `retries_pkey`, `claims_pkey`.
 */
const deleteDone = prepareStatement({
  values: { subscriptionId: "bigint", claimIds: "bigint[]" },
  build: (value) => sql<object>`
with retry as (
  delete from millrace.retries where subscription_id = ${value.subscriptionId} and claim_id = any(${value.claimIds})
)
delete from millrace.claims where subscription_id = ${value.subscriptionId} and claim_id = any(${value.claimIds})`,
});

export async function takeClaims(
  database: Database,
  { subscriptionId, session, generation, claimIds }: TakeRequest,
): Promise<readonly StoredClaim[]> {
  if (claimIds.length === 0) return [];
  const ids = `{${claimIds.join(",")}}`;
  return database.transaction(async (connection) => {
    const taken = await connection.run(updateFree, { subscriptionId, session, generation, claimIds: ids });
    // After the locks, which waited for the writes of the holder before.
    const claims = await foldSettlements(
      connection,
      subscriptionId,
      taken.map(({ claimId }) => claimId),
    );
    const isDone = ({ kind, todo }: StoredClaim) => todo.length === 0 && kind !== "rest" && kind !== "slot";
    const done = claims.filter(isDone).map(({ claimId }) => claimId);
    if (done.length > 0) await connection.run(deleteDone, { subscriptionId, claimIds: `{${done.join(",")}}` });
    return claims.filter((claim) => !isDone(claim)).toSorted((a, b) => a.claimId - b.claimId);
  });
}
