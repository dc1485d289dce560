/**
 * Takes offsets out of claims, and notes what of them is to be handed out again: the hot path of every verdict.
 *
 * **Locks.** The claims' rows, by id, so that two statements that settle the same claims cannot deadlock. Rows of `retries`
 * are locked behind their claim's row, under which alone they are written.
 *
 * **What the statement sees.** Its snapshot may be older than what the lock waited for. Three things do not depend on it:
 * - `held` computes from the locked row: a claim that was waited for is read in its newest version (READ COMMITTED checks
 *   the row again), in the condition and in the columns alike. So a claim that has another holder by then, that a Seek
 *   deleted, or of which a Commit settled something, is seen as it is. Every other part of the statement asks `held`, not
 *   `claims`, what is present; its updates of `claims` follow the row to the version that `held` locked.
 * - `noted` inserts. An insert with `on conflict` finds the newest committed row, also one that the snapshot does not show,
 *   and `r.reasons` is that row's. A row that the snapshot shows and a Commit deleted is no conflict.
 * - `forgotten` deletes rows that the snapshot shows; one that a Commit deleted meanwhile is skipped. It cannot miss a row:
 *   rows are inserted by the claim's holder alone, which sends one write after the other. The one exception is a write whose
 *   connection broke and which the server executes later than its repetition. What it inserts then is a row for an offset
 *   that its claim does not have any more, and readers of `retries` leave those out.
 *
 * **Late writes.** Such a write may also find the record noted with more deliveries. `noted` keeps the row then: the number
 * of deliveries never falls while a claim lives, or an attempt would be used a second time.
 *
 * What a claim does not have is told, not what it has: that is hardly ever anything, and writing out ranges is slow.
 * Offsets that are settled by the same write are missing, so no row of `retries` is written and deleted by one statement.
 * Of the locked claims, those that have become empty are deleted, but for the rest and slots; the others are updated
 * (heap-only). A claim with retries alone is locked and not updated.
 * Index: `claims_pkey`, `retries_pkey`.
 */

import { type RawBuilder, sql } from "kysely";
import { deliveryBounds, type OffsetRange } from "../../../core/index.js";
import type { RetryWrite } from "../../subscription-store.js";
import type { Session } from "../database/database.js";
import { prepareStatement } from "../statement.js";
import { decodeRanges, encodeRanges, encodeRangesArray } from "./offset-ranges.js";
import { newestReasons, storableText } from "./reasons.js";

const claimValues = {
  subscriptionId: "bigint",
  session: "bigint",
  claimIds: "bigint[]",
  settled: "int8multirange[]",
} as const;

type ClaimValues = { readonly [Name in keyof typeof claimValues]: RawBuilder<unknown> };

/** The part that both statements begin with. */
function takeOut(value: ClaimValues): RawBuilder<unknown> {
  return sql`held as materialized (
  select c.claim_id, c.todo - asked.settled as todo, asked.settled, c.kind in ('rest', 'slot') as stays
  from millrace.claims as c
    join unnest(${value.claimIds}, ${value.settled}) as asked (claim_id, settled) on asked.claim_id = c.claim_id
  where c.subscription_id = ${value.subscriptionId} and c.session = ${value.session}
  order by c.claim_id
  for update of c
), kept as (
  update millrace.claims as c set todo = held.todo
  from held where c.subscription_id = ${value.subscriptionId} and c.claim_id = held.claim_id
    and not isempty(held.settled) and (held.stays or not isempty(held.todo))
), done as (
  delete from millrace.claims as c using held
  where c.subscription_id = ${value.subscriptionId} and c.claim_id = held.claim_id
    and not held.stays and isempty(held.todo)
)`;
}

const settleAlone = prepareStatement({
  name: "settle_claims",
  values: claimValues,
  build: (value) => sql<{ claimId: number }>`
with ${takeOut(value)}
select claim_id as "claimId" from held`,
});

const settleAndNote = prepareStatement({
  name: "settle_and_note",
  values: { ...claimValues, forgotten: "int8multirange", retries: "jsonb", reasonsMost: "int" },
  build: (value) => sql<{ claimId: number; missing: string }>`
with ${takeOut(value)}, forgotten as (
  -- An array, and "+ 0": else a plan without statistics walks all rows of the claim by their index.
  delete from millrace.retries as r using held
  where r.subscription_id = ${value.subscriptionId} and r."offset" = any(array(
      select generate_series(lower(part), upper(part) - 1) from unnest(${value.forgotten}) as part))
    and r.claim_id + 0 = held.claim_id and held.settled @> r."offset"
), record as materialized (
  select run.*, each."offset", held.todo @> each."offset" as is_present
  from jsonb_to_recordset(${value.retries}) as run ("claimId" bigint, offsets int8multirange, deliveries int,
      failures int, "delayMs" numeric, lane bigint, reason text)
    join held on held.claim_id = run."claimId"
    cross join lateral unnest(run.offsets) as part
    cross join lateral generate_series(lower(part), upper(part) - 1) as each ("offset")
), noted as (
  insert into millrace.retries as r (subscription_id, "offset", claim_id, deliveries, failures, retry_time, lane, reasons)
  select ${value.subscriptionId}, "offset", "claimId", deliveries, failures,
    ((extract(epoch from statement_timestamp()) + "delayMs" / 1000) * 1000000)::bigint, lane,
    case when reason is null then '{}' else array[reason] end
  from record where is_present
  on conflict (subscription_id, "offset") do update
  set claim_id = excluded.claim_id, deliveries = excluded.deliveries, failures = excluded.failures,
      retry_time = excluded.retry_time, lane = excluded.lane,
      reasons = ${newestReasons(sql`r.reasons || excluded.reasons`, value.reasonsMost)}
  where r.claim_id <> excluded.claim_id or r.deliveries <= excluded.deliveries
)
select held.claim_id as "claimId", coalesce((
    select range_agg(int8range("offset", "offset" + 1)) from record
    where "claimId" = held.claim_id and not is_present
  ), '{}')::text as missing
from held`,
});

/** What a claim is asked for. */
export interface ClaimWrite {
  readonly settled: readonly OffsetRange[];
  readonly retries: readonly RetryWrite[];
}

/** A claim that was the session's, so what it was asked for is written. */
export interface SettledClaim {
  /** Of its retries, the offsets that it did not have any more. */
  readonly missing: readonly OffsetRange[];
}

/** Gives the claims that were this session's. `forgotten`: offsets among those settled that have a row in `retries`. */
export async function settleClaims(
  session: Pick<Session, "run">,
  holder: { readonly subscriptionId: number; readonly session: number },
  claims: ReadonlyMap<number, ClaimWrite>,
  forgotten: readonly OffsetRange[],
): Promise<ReadonlyMap<number, SettledClaim>> {
  const writes = [...claims.values()];
  const values = {
    ...holder,
    claimIds: `{${[...claims.keys()].join(",")}}`,
    settled: encodeRangesArray(writes.map(({ settled }) => encodeRanges(settled))),
  };
  const retries = writes.flatMap((write) => write.retries);
  if (forgotten.length === 0 && retries.length === 0) {
    const rows = await session.run(settleAlone, values);
    return new Map(rows.map(({ claimId }) => [claimId, { missing: [] }]));
  }
  const rows = await session.run(settleAndNote, {
    ...values,
    forgotten: encodeRanges(forgotten),
    retries: JSON.stringify(groupedRetries(retries)),
    reasonsMost: deliveryBounds.reasons,
  });
  return new Map(rows.map(({ claimId, missing }) => [claimId, { missing: decodeRanges(missing) }]));
}

/** Retries that differ in their offsets alone are written as one: to read a long text takes longer than to insert the rows. */
function groupedRetries(retries: readonly RetryWrite[]): object[] {
  const groups = new Map<string, { readonly rest: object; readonly offsets: OffsetRange[] }>();
  for (const { firstOffset, nextOffset, ...rest } of retries) {
    const key = `${rest.claimId} ${rest.deliveries} ${rest.failures} ${rest.lane} ${rest.delayMs} ${rest.reason}`;
    const group = groups.get(key);
    if (group !== undefined) group.offsets.push({ firstOffset, nextOffset });
    else groups.set(key, { rest: storable(rest), offsets: [{ firstOffset, nextOffset }] });
  }
  return [...groups.values()].map(({ rest, offsets }) => ({ ...rest, offsets: encodeRanges(offsets) }));
}

function storable<Retry extends Pick<RetryWrite, "reason">>(retry: Retry): Retry {
  return retry.reason === undefined ? retry : { ...retry, reason: storableText(retry.reason) };
}
