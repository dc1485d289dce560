import { sql } from "kysely";
import type { ReleaseRequest } from "../../claim-store.js";
import type { Database } from "../database/database.js";
import { prepareStatement } from "../statement.js";

/** Locks: the claims' rows, by id; only those that this session still holds. Index: `claims_pkey`. */
const freeClaims = prepareStatement({
  name: "release_claims",
  values: { subscriptionId: "bigint", session: "bigint", claimIds: "bigint[]" },
  build: (value) => sql<object>`
with held as materialized (
  select c.claim_id from millrace.claims as c
  where c.subscription_id = ${value.subscriptionId} and c.claim_id = any(${value.claimIds})
    and c.session = ${value.session}
  order by c.claim_id
  for update
)
update millrace.claims as c set session = null
from held where c.subscription_id = ${value.subscriptionId} and c.claim_id = held.claim_id`,
});

export async function releaseClaims(
  database: Database,
  { subscriptionId, session, claimIds }: ReleaseRequest,
): Promise<void> {
  if (claimIds.length === 0) return;
  await database.run(freeClaims, { subscriptionId, session, claimIds: `{${claimIds.join(",")}}` });
}
