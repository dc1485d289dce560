import { sql } from "kysely";
import { RangeSet, type OffsetRange } from "../../../core/index.js";
import type { Connection } from "../database/database.js";
import { prepareStatement } from "../statement.js";
import { decodeRanges, encodeRanges, encodeRangesArray } from "./offset-ranges.js";
import { unfolded } from "./settlements.js";

interface HeldRow {
  readonly claimId: number;
  readonly present: string;
}

/**
 * Locks a session's claims, and returns which of some offsets they still have. Rows that the lock waited for are
 * returned in their newest version. Locks: the claims' rows, by id. Index: `claims_pkey`, `settlements_pkey`.
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

/** For each claim that this session still holds: those of the given offsets that it has. */
export async function lockHeldClaims(
  connection: Connection,
  holder: { readonly subscriptionId: number; readonly session: number },
  asked: ReadonlyMap<number, readonly OffsetRange[]>,
): Promise<ReadonlyMap<number, RangeSet>> {
  const rows = await connection.run(selectHeld, {
    ...holder,
    claimIds: `{${[...asked.keys()].join(",")}}`,
    ranges: encodeRangesArray([...asked.values()].map(encodeRanges)),
  });
  return new Map(rows.map((row) => [row.claimId, new RangeSet(decodeRanges(row.present))]));
}
