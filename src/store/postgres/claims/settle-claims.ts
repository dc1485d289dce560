/**
 * Removes offsets from claims, and records those that are to be redelivered: the hot path of every verdict.
 *
 * Offsets that are only acknowledged are inserted as settlements (`settlements.ts`), under the claim's row `for share`.
 * The rest of this comment concerns the other statements, which fold settlements into the row when they update it.
 *
 * **Locks.** The claims' rows, by id, so that two statements that settle the same claims cannot deadlock. Then rows of
 * `retries`, which are only written under their claim's lock.
 *
 * **What the statement sees.** Its snapshot may be older than what the lock waited for. Two parts do not depend on it:
 * - `held` computes from the locked row: READ COMMITTED reads a row that was waited for in its newest version, in the
 *   condition and in the columns alike. So it sees another holder, a Seek that deleted the claim, and what a Commit
 *   settled. Every other part of the statement takes the present offsets from `held`, not from `claims`. Its updates of
 *   `claims` apply to the version that `held` locked.
 * - `lessened` and `emptied` read rows of `retries` in the same way. Where a Commit removed offsets from such a row
 *   meanwhile, neither may apply, and the row may keep offsets that its claim no longer has.
 *
 * These two cannot miss a row: only the claim's holder inserts rows, one write after the other. The one exception is a
 * write whose connection broke, and which the server executes later than its repetition.
 *
 * **So a row of `retries` counts** only for offsets that its claim still has, and of two rows with one offset, the one
 * with more deliveries counts. Every reader of the table follows this rule. A late write does not replace a row with
 * more deliveries: the number of deliveries must never fall while a claim lives, or an attempt would be used twice.
 *
 * The statement returns the offsets that a claim does not have, since these are nearly always none, and writing ranges
 * is slow. Offsets that the same write settles count as missing, so no redelivery is recorded for them. Locked claims
 * that became empty are deleted with their rows of `retries`, except for the rest and slots. The others are updated
 * (heap-only), unless nothing of them changes.
 * Index: `claims_pkey`, `settlements_pkey`, `retries_pkey`.
 */

import { type RawBuilder, sql } from "kysely";
import { deliveryBounds, type OffsetRange } from "../../../core/index.js";
import type { RetryWrite, SubscriptionHolder } from "../../claim-store.js";
import type { Connection } from "../database/database.js";
import { prepareStatement } from "../statement.js";
import { decodeRanges, encodeRanges, encodeRangesArray } from "./offset-ranges.js";
import { newestReasons, storableText } from "./reasons.js";
import { unfolded } from "./settlements.js";
import { cutIntoBuckets } from "./retry-buckets.js";

const claimValues = {
  subscriptionId: "bigint",
  session: "bigint",
  claimIds: "bigint[]",
  settled: "int8multirange[]",
} as const;

type ClaimValues = { readonly [Name in keyof typeof claimValues]: RawBuilder<unknown> };

/** The part with which both statements begin. */
function takeOut(value: ClaimValues): RawBuilder<unknown> {
  return sql`held as materialized (
  select c.claim_id, c.todo - asked.settled - ${unfolded} as todo, c.kind in ('rest', 'slot') as stays, c.folded_to
  from millrace.claims as c
    join unnest(${value.claimIds}, ${value.settled}) as asked (claim_id, settled) on asked.claim_id = c.claim_id
  where c.subscription_id = ${value.subscriptionId} and c.session = ${value.session}
  order by c.claim_id
  for update of c
), folded as (
  delete from millrace.settlements as s using held
  where s.subscription_id = ${value.subscriptionId} and s.claim_id = held.claim_id and s.settlement_id > held.folded_to
  returning s.claim_id, s.settlement_id
), last as materialized (
  select claim_id, max(settlement_id) as settlement_id from folded group by claim_id
), kept as (
  update millrace.claims as c
  set todo = held.todo, folded_to = greatest(c.folded_to, coalesce(last.settlement_id, 0))
  from held left join last on last.claim_id = held.claim_id
  where c.subscription_id = ${value.subscriptionId} and c.claim_id = held.claim_id
    and c.todo <> held.todo and (held.stays or not isempty(held.todo))
), done as (
  delete from millrace.claims as c using held
  where c.subscription_id = ${value.subscriptionId} and c.claim_id = held.claim_id
    and not held.stays and isempty(held.todo)
), swept as (
  delete from millrace.retries as r using held
  where r.subscription_id = ${value.subscriptionId} and r.claim_id = held.claim_id
    and not held.stays and isempty(held.todo)
)`;
}

/** Locks: the claims' rows `for share`, by id. Index: `claims_pkey`, `settlements_pkey`. */
const insertSettled = prepareStatement({
  name: "insert_settlements",
  values: claimValues,
  build: (value) => sql<{ claimId: number }>`
with held as materialized (
  select c.claim_id, asked.settled
  from millrace.claims as c
    join unnest(${value.claimIds}, ${value.settled}) as asked (claim_id, settled) on asked.claim_id = c.claim_id
  where c.subscription_id = ${value.subscriptionId} and c.session = ${value.session}
  order by c.claim_id
  for share of c
), settlement as (
  insert into millrace.settlements (subscription_id, claim_id, settled)
  select ${value.subscriptionId}, claim_id, settled from held where not isempty(settled)
)
select claim_id as "claimId" from held`,
});

const settleAlone = prepareStatement({
  name: "settle_claims",
  values: claimValues,
  build: (value) => sql<{ claimId: number }>`
with ${takeOut(value)}
select claim_id as "claimId" from held`,
});

/**
 * `asked` has a row for each bucket of a claim in which something is settled or recorded; `known` has the earlier rows
 * of these. Offsets that are recorded again move from their row to a new one, which keeps the earlier reasons. The new
 * rows are sent once and aggregated here: parsing sets of offsets costs as much as all the rest.
 */
const settleAndNote = prepareStatement({
  name: "settle_and_note",
  values: {
    ...claimValues,
    bucketClaimIds: "bigint[]",
    buckets: "bigint[]",
    bucketSettled: "int8multirange[]",
    retries: "jsonb",
    reasonsMax: "int",
  },
  build: (value) => sql<{ claimId: number; missing: string }>`
with ${takeOut(value)}, run as materialized (
  select * from jsonb_to_recordset(${value.retries}) as run ("claimId" bigint, bucket bigint, offsets int8multirange,
      deliveries int, failures int, "delayMs" numeric, lanes jsonb, reason text)
), lacking as materialized (
  select held.claim_id, coalesce(noted.offsets, '{}') - held.todo as missing
  from held left join (
    select "claimId" as claim_id, range_agg(offsets) as offsets from run group by "claimId"
  ) as noted on noted.claim_id = held.claim_id
), asked as materialized (
  select bucket.*
  from unnest(${value.bucketClaimIds}, ${value.buckets}, ${value.bucketSettled}) as bucket (claim_id, bucket, settled)
    join held on held.claim_id = bucket.claim_id and (held.stays or not isempty(held.todo))
), known as materialized (
  select r.claim_id, r.bucket, r.retry_id, r.offsets, r.deliveries, r.reasons, r.frame, asked.settled
  from asked join millrace.retries as r on r.subscription_id = ${value.subscriptionId}
    and r.claim_id = asked.claim_id and r.bucket = asked.bucket
), record as materialized (
  select run."claimId" as claim_id, run.bucket, run.offsets - lacking.missing as offsets, run.deliveries, run.failures,
    ((extract(epoch from statement_timestamp()) + run."delayMs" / 1000) * 1000000)::bigint as retry_time, run.lanes,
    case when run.reason is null then '{}' else array[run.reason] end as reasons
  from run join lacking on lacking.claim_id = run."claimId"
), moved as materialized (
  select record.claim_id, record.bucket, known.retry_id, record.offsets * known.offsets as offsets, record.deliveries,
    record.failures, record.retry_time, record.lanes, known.reasons || record.reasons as reasons, known.frame
  from record join known on known.claim_id = record.claim_id and known.bucket = record.bucket
    and known.offsets && record.offsets and known.deliveries <= record.deliveries
), leaving as materialized (
  select claim_id, bucket, retry_id, range_agg(offsets) as offsets
  from (
    select claim_id, bucket, retry_id, settled as offsets from known
    union all select claim_id, bucket, retry_id, offsets from moved
  ) as part
  group by claim_id, bucket, retry_id
), lessened as (
  update millrace.retries as r set offsets = r.offsets - leaving.offsets
  from leaving where r.subscription_id = ${value.subscriptionId} and r.claim_id = leaving.claim_id
    and r.bucket = leaving.bucket and r.retry_id = leaving.retry_id and r.offsets && leaving.offsets
    and not r.offsets <@ leaving.offsets
), emptied as (
  delete from millrace.retries as r using leaving
  where r.subscription_id = ${value.subscriptionId} and r.claim_id = leaving.claim_id
    and r.bucket = leaving.bucket and r.retry_id = leaving.retry_id and r.offsets <@ leaving.offsets
), noted as (
  insert into millrace.retries
    (subscription_id, claim_id, bucket, offsets, deliveries, failures, retry_time, lanes, reasons, frame)
  select ${value.subscriptionId}, claim_id, bucket, offsets, deliveries, failures, retry_time, lanes,
    ${newestReasons(sql`reasons`, value.reasonsMax)}, frame
  from (
    select claim_id, bucket, offsets - coalesce((
        select range_agg(known.offsets) from known
        where known.claim_id = record.claim_id and known.bucket = record.bucket
      ), '{}') as offsets, deliveries, failures, retry_time, lanes, reasons, null::bytea as frame
    from record
    union all
    select claim_id, bucket, offsets, deliveries, failures, retry_time, lanes, reasons, frame from moved
  ) as run
  where not isempty(offsets)
)
select claim_id as "claimId", missing::text as missing from lacking`,
});

/** Which session settles, and how. */
export interface SettleHolder extends SubscriptionHolder {
  /** Whether offsets that are only settled are removed from the claims' rows too. */
  readonly folds: boolean;
}

/** What to write for a claim. */
export interface ClaimWrite {
  readonly settled: readonly OffsetRange[];
  /** Those of them with rows in `retries`. */
  readonly settledRetries: readonly OffsetRange[];
  readonly retries: readonly RetryWrite[];
}

/** A claim that the session held, so it was written. */
export interface SettledClaim {
  /** The offsets of `ClaimWrite.retries` that it no longer had. */
  readonly missing: readonly OffsetRange[];
}

/** Returns the claims that this session held. */
export async function settleClaims(
  connection: Pick<Connection, "run">,
  { subscriptionId, session, folds }: SettleHolder,
  claims: ReadonlyMap<number, ClaimWrite>,
): Promise<ReadonlyMap<number, SettledClaim>> {
  const writes = [...claims.values()];
  const values = {
    subscriptionId,
    session,
    claimIds: `{${[...claims.keys()].join(",")}}`,
    settled: encodeRangesArray(writes.map(({ settled }) => encodeRanges(settled))),
  };
  if (writes.every(({ settledRetries, retries }) => settledRetries.length === 0 && retries.length === 0)) {
    const rows = await connection.run(folds ? settleAlone : insertSettled, values);
    return new Map(rows.map(({ claimId }) => [claimId, { missing: [] }]));
  }
  const buckets = [...claims].flatMap(([claimId, write]) => [...bucketsOf(claimId, write)]);
  const rows = await connection.run(settleAndNote, {
    ...values,
    bucketClaimIds: `{${buckets.map(({ claimId }) => claimId).join(",")}}`,
    buckets: `{${buckets.map(({ bucket }) => bucket).join(",")}}`,
    bucketSettled: encodeRangesArray(buckets.map(({ settled }) => encodeRanges(settled))),
    retries: JSON.stringify(buckets.flatMap(({ rows: noted }) => [...noted.values()].map(encodeRow))),
    reasonsMax: deliveryBounds.reasons,
  });
  return new Map(rows.map(({ claimId, missing }) => [claimId, { missing: decodeRanges(missing) }]));
}

/** A bucket of a claim in which something is settled or recorded. */
interface BucketWrite {
  readonly claimId: number;
  readonly bucket: number;
  /** The settled offsets among those recorded there. */
  readonly settled: OffsetRange[];
  /** The rows to record, by the values that their offsets share. */
  readonly rows: Map<string, RetryRow>;
}

/** Records with the same attempts, delay and reason. */
interface RetryRow extends Omit<RetryWrite, "firstOffset" | "nextOffset" | "lane"> {
  readonly bucket: number;
  readonly offsets: OffsetRange[];
  readonly lanes: Map<number, number>;
}

function bucketsOf(claimId: number, { settledRetries, retries }: ClaimWrite): Iterable<BucketWrite> {
  const buckets = new Map<number, BucketWrite>();
  const of = (bucket: number): BucketWrite => {
    let write = buckets.get(bucket);
    if (write === undefined) {
      buckets.set(bucket, (write = { claimId, bucket, settled: [], rows: new Map() }));
    }
    return write;
  };
  for (const { bucket, range } of cutIntoBuckets(settledRetries)) of(bucket).settled.push(range);
  for (const { firstOffset, nextOffset, lane, ...alike } of retries) {
    const key = `${alike.deliveries} ${alike.failures} ${alike.delayMs} ${alike.reason}`;
    for (const { bucket, range } of cutIntoBuckets([{ firstOffset, nextOffset }])) {
      const { rows } = of(bucket);
      let row = rows.get(key);
      if (row === undefined) rows.set(key, (row = { ...alike, bucket, offsets: [], lanes: new Map() }));
      row.offsets.push(range);
      if (lane !== undefined) for (let at = range.firstOffset; at < range.nextOffset; at++) row.lanes.set(at, lane);
    }
  }
  return buckets.values();
}

function encodeRow({ offsets, lanes, reason, ...rest }: RetryRow): object {
  return {
    ...rest,
    offsets: encodeRanges(offsets),
    lanes: lanes.size === 0 ? undefined : Object.fromEntries(lanes),
    reason: reason && storableText(reason),
  };
}
