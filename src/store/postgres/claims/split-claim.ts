import { sql } from "kysely";
import type { SplitRequest } from "../../claim-store.js";
import type { Database } from "../database/database.js";
import { prepareStatement } from "../statement.js";

/**
 * Splits a block at an offset, and makes the second part a free block. Locks: the claim's row, if this session still
 * holds it. All settlements are below the offset, so they stay. Index: `claims_pkey`.
 */
const splitBlock = prepareStatement({
  name: "split_claim",
  values: { subscriptionId: "bigint", session: "bigint", claimId: "bigint", offset: "bigint" },
  build: (value) => sql<object>`
with held as materialized (
  select c.claim_id, c.todo, int8multirange(int8range(${value.offset}, null)) as given
  from millrace.claims as c
  where c.subscription_id = ${value.subscriptionId} and c.claim_id = ${value.claimId} and c.session = ${value.session}
    and c.kind = 'block'
  for update of c
), kept as (
  update millrace.claims as c set todo = held.todo - held.given
  from held where c.subscription_id = ${value.subscriptionId} and c.claim_id = held.claim_id
)
insert into millrace.claims (subscription_id, kind, todo)
select ${value.subscriptionId}, 'block', held.todo * held.given from held where held.todo && held.given`,
});

export async function splitClaim(database: Database, request: SplitRequest): Promise<void> {
  await database.run(splitBlock, request);
}
