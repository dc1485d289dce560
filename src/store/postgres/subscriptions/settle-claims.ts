import { type RawBuilder, sql } from "kysely";
import type { OffsetRange } from "../../../core/index.js";
import type { Session } from "../database/database.js";
import { prepareStatement } from "../statement.js";
import { encodeRanges, encodeRangesArray } from "./offset-ranges.js";

const values = {
  subscriptionId: "bigint",
  session: "bigint",
  claimIds: "bigint[]",
  ranges: "int8multirange[]",
  retries: "bigint[]",
} as const;

type Forgotten = (value: { readonly [Name in keyof typeof values]: RawBuilder<unknown> }) => RawBuilder<unknown>;

/**
 * Takes offsets out of claims: the hot path of every acknowledgement.
 *
 * Locks: the claims' rows, by id, so that two that settle the same ones cannot wait for each other. A claim that was
 * waited for is reckoned with as it is then, since the subtraction is part of what is locked; one that has another holder
 * by then is left out, and not among the rows.
 * Of what is locked, what became empty goes, but for the rest and slots, and everything else is updated: heap-only.
 * Index: `claims_pkey`.
 */
function settleStatement(name: string, forgotten: Forgotten) {
  return prepareStatement({
    name,
    values,
    build: (value) => sql<{ claimId: number }>`
with held as materialized (
  select c.claim_id, c.todo - asked.ranges as todo, asked.ranges as settled, c.kind in ('rest', 'slot') as stays
  from millrace.claims as c
    join unnest(${value.claimIds}, ${value.ranges}) as asked (claim_id, ranges) on asked.claim_id = c.claim_id
  where c.subscription_id = ${value.subscriptionId} and c.session = ${value.session}
  order by c.claim_id
  for update of c
), kept as (
  update millrace.claims as c set todo = held.todo
  from held where c.subscription_id = ${value.subscriptionId} and c.claim_id = held.claim_id
    and (held.stays or not isempty(held.todo))
), done as (
  delete from millrace.claims as c using held
  where c.subscription_id = ${value.subscriptionId} and c.claim_id = held.claim_id
    and not held.stays and isempty(held.todo)
)${forgotten(value)}
select claim_id as "claimId" from held`,
  });
}

const settleAlone = settleStatement("settle_claims", () => sql``);

/**
 * The same, of records that were handed out before: their rows in `retries` go, if they are of a claim that has not got
 * another holder. Locks: those rows, which are only written under their claim's lock. Index: `retries_pkey`.
 */
const settleRetried = settleStatement(
  "settle_retried",
  (value) => sql`, forgotten as (
  delete from millrace.retries as r using held
  where r.subscription_id = ${value.subscriptionId} and r."offset" = any(${value.retries})
    and r.claim_id = held.claim_id and held.settled @> r."offset"
)`,
);

/** Which of these claims were this session's, and so have been settled. `retries`: offsets among them that have a row there. */
export async function settleClaims(
  session: Pick<Session, "run">,
  holder: { readonly subscriptionId: number; readonly session: number },
  settled: ReadonlyMap<number, readonly OffsetRange[]>,
  retries: readonly number[],
): Promise<ReadonlySet<number>> {
  const rows = await session.run(retries.length === 0 ? settleAlone : settleRetried, {
    ...holder,
    claimIds: `{${[...settled.keys()].join(",")}}`,
    ranges: encodeRangesArray([...settled.values()].map(encodeRanges)),
    retries: `{${retries.join(",")}}`,
  });
  return new Set(rows.map((row) => row.claimId));
}
