/**
 * What a claim has yet to settle: its `todo` less the settlements that were inserted since the last fold. An
 * acknowledgement only inserts. A row that each of them updated would slow all of them down while a snapshot is held.
 *
 * Only its holder inserts settlements of a claim, one write after the other, with the claim's row locked `for share`.
 * So the holder's own statements see all of them. Others lock the row first, which waits for a running write, and read
 * in a later statement. `folded_to` keeps look-ups from walking over deleted settlements.
 */

import { type RawBuilder, sql } from "kysely";
import type { StoredClaim } from "../../claim-store.js";
import type { Connection } from "../database/database.js";
import { prepareStatement } from "../statement.js";
import { type ClaimRow, claimColumns, toStoredClaim } from "./stored-claim.js";

/** The settlements of the claim `c` that are not folded yet. Index: `settlements_pkey`. */
export const unfolded: RawBuilder<unknown> = sql`coalesce((
    select range_agg(s.settled) from millrace.settlements as s
    where s.subscription_id = c.subscription_id and s.claim_id = c.claim_id and s.settlement_id > c.folded_to
  ), '{}')`;

/**
 * Folds settlements into their claims, whose rows the caller has locked. Locks: the settlements' rows, which nobody
 * else deletes meanwhile. Index: `settlements_pkey`, `claims_pkey`.
 */
const foldClaims = prepareStatement({
  name: "fold_claims",
  values: { subscriptionId: "bigint", claimIds: "bigint[]" },
  build: (value) => sql<ClaimRow>`
with gone as (
  delete from millrace.settlements as s using millrace.claims as c
  where c.subscription_id = ${value.subscriptionId} and c.claim_id = any(${value.claimIds})
    and s.subscription_id = ${value.subscriptionId} and s.claim_id = c.claim_id and s.settlement_id > c.folded_to
  returning s.claim_id, s.settlement_id, s.settled
), settlement as (
  select claim_id, max(settlement_id) as last, range_agg(settled) as settled from gone group by claim_id
)
update millrace.claims as c
set todo = c.todo - coalesce(settlement.settled, '{}'),
  folded_to = greatest(c.folded_to, coalesce(settlement.last, 0))
from unnest(${value.claimIds}) as asked (claim_id) left join settlement on settlement.claim_id = asked.claim_id
where c.subscription_id = ${value.subscriptionId} and c.claim_id = asked.claim_id
returning ${claimColumns}`,
});

/** Runs in the transaction that locked the claims. Returns them after the fold. */
export async function foldSettlements(
  connection: Pick<Connection, "run">,
  subscriptionId: number,
  claimIds: readonly number[],
): Promise<readonly StoredClaim[]> {
  if (claimIds.length === 0) return [];
  const rows = await connection.run(foldClaims, { subscriptionId, claimIds: `{${claimIds.join(",")}}` });
  return rows.map(toStoredClaim);
}
