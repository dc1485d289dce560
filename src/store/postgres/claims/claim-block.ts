import { sql } from "kysely";
import type { CutBlock, CutRequest } from "../../claim-store.js";
import type { Database } from "../database/database.js";
import { prepareStatement } from "../statement.js";
import { type ClaimRow, claimColumns, toStoredClaim } from "./stored-claim.js";

/**
 * Cuts a block off the rest, in one statement.
 *
 * Locks: the row of the rest. A second session waits for it and cuts from the updated row, so blocks neither overlap
 * nor leave a gap. If a seek deleted the rest meanwhile, nothing is returned. The rest has one range, without an end.
 * Index: `claims_rest`, `subscriptions_pkey`, `sessions_pkey`.
 */
const cutBlock = prepareStatement({
  name: "claim_block",
  values: {
    subscriptionId: "bigint",
    session: "bigint",
    generation: "bigint",
    count: "bigint",
    fromOffset: "bigint",
    untilOffset: "bigint",
  },
  build: (value) => sql<ClaimRow & { readonly low: number }>`
with rest as materialized (
  select c.claim_id, lower(c.todo) as low, greatest(lower(c.todo), ${value.fromOffset}) as first
  from millrace.claims as c join millrace.subscriptions as s on s.subscription_id = c.subscription_id
  where c.subscription_id = ${value.subscriptionId} and c.kind = 'rest' and s.generation = ${value.generation}
    and exists (select from millrace.sessions as own where own.session = ${value.session})
  for update of c
), cut as materialized (
  select claim_id, low, first, greatest(first, least(first + ${value.count}, ${value.untilOffset})) as next from rest
), kept as (
  update millrace.claims as c set todo = int8multirange(int8range(cut.next, null))
  from cut
  where c.subscription_id = ${value.subscriptionId} and c.claim_id = cut.claim_id and cut.next > cut.low
)
, taken as (
  insert into millrace.claims as c (subscription_id, kind, todo, session)
  select ${value.subscriptionId}, 'block', int8multirange(int8range(cut.first, cut.next)), ${value.session}
  from cut where cut.next > cut.first
  returning ${claimColumns}
)
select taken.*, cut.low from taken cross join cut`,
});

export async function claimBlock(database: Database, request: CutRequest): Promise<CutBlock | undefined> {
  const [row] = await database.run(cutBlock, request);
  if (row === undefined) return undefined;
  const block = toStoredClaim(row);
  return row.low < (block.todo[0]?.firstOffset ?? 0) ? { ...block, skippedFrom: row.low } : block;
}
