import { sql } from "kysely";
import { RangeSet, type OffsetRange } from "../../../core/index.js";
import type { Session } from "../database/database.js";
import { prepareStatement } from "../statement.js";
import { decodeRanges, encodeRanges, encodeRangesArray } from "./offset-ranges.js";
import { unfolded } from "./settlements.js";

interface HeldRow {
  readonly claimId: number;
  readonly present: string;
}

/**
 * Locks claims that are a session's, and tells which of some offsets they still have. A row that was waited for is told as
 * it is then. Locks: the claims' rows, by id. Index: `claims_pkey`, `settlements_pkey`.
 */
const selectHeld = prepareStatement({
  name: "lock_held_claims",
  values: { subscriptionId: "bigint", session: "bigint", claimIds: "bigint[]", ranges: "int8multirange[]" },
  build: (value) => sql<HeldRow>`
select c.claim_id as "claimId", ((c.todo - ${unfolded}) * asked.ranges)::text as present
from millrace.claims as c
  join unnest(${value.claimIds}, ${value.ranges}) as asked (claim_id, ranges) on asked.claim_id = c.claim_id
where c.subscription_id = ${value.subscriptionId} and c.session = ${value.session}
order by c.claim_id
for update of c`,
});

/** Of each claim that is still this session's: those of the asked offsets that it has. */
export async function lockHeldClaims(
  session: Session,
  holder: { readonly subscriptionId: number; readonly session: number },
  asked: ReadonlyMap<number, readonly OffsetRange[]>,
): Promise<ReadonlyMap<number, RangeSet>> {
  const rows = await session.run(selectHeld, {
    ...holder,
    claimIds: `{${[...asked.keys()].join(",")}}`,
    ranges: encodeRangesArray([...asked.values()].map(encodeRanges)),
  });
  return new Map(rows.map((row) => [row.claimId, new RangeSet(decodeRanges(row.present))]));
}
