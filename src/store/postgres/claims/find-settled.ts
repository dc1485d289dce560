import { sql } from "kysely";
import type { ClaimRanges, DeliveredRanges } from "../../claim-store.js";
import type { Database } from "../database/database.js";
import { prepareStatement } from "../statement.js";
import { decodeRanges, encodeRanges, encodeRangesArray } from "./offset-ranges.js";

/**
 * The given offsets that claims no longer have. No locks: what is settled stays settled, and a session that lost a
 * claim does not get it back without taking it again. Index: `claims_pkey`.
 */
const selectSettled = prepareStatement({
  name: "find_settled",
  values: { subscriptionId: "bigint", session: "bigint", claimIds: "bigint[]", ranges: "int8multirange[]" },
  build: (value) => sql<{ claimId: number; settled: string }>`
select found.* from (
  select asked.claim_id as "claimId", (asked.ranges - coalesce(c.todo, '{}'))::text as settled
  from unnest(${value.claimIds}, ${value.ranges}) as asked (claim_id, ranges)
    left join millrace.claims as c on c.subscription_id = ${value.subscriptionId} and c.claim_id = asked.claim_id
      and c.session = ${value.session}
) as found
where found.settled <> '{}'`,
});

export async function findSettled(
  database: Database,
  { subscriptionId, session, claims }: DeliveredRanges,
): Promise<readonly ClaimRanges[]> {
  if (claims.length === 0) return [];
  const rows = await database.run(selectSettled, {
    subscriptionId,
    session,
    claimIds: `{${claims.map(({ claimId }) => claimId).join(",")}}`,
    ranges: encodeRangesArray(claims.map(({ ranges }) => encodeRanges(ranges))),
  });
  return rows.map(({ claimId, settled }) => ({ claimId, ranges: decodeRanges(settled) }));
}
