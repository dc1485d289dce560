import { sql } from "kysely";
import { deliveryBounds } from "../../../core/index.js";
import type { ParkWrite } from "../../claim-store.js";
import type { Connection } from "../database/database.js";
import { prepareStatement } from "../statement.js";
import { encodeRanges, rangesOf } from "./offset-ranges.js";
import { readRetryFrames } from "./read-retry-frames.js";
import { newestReasons, storableText } from "./reasons.js";
import { encodeBuckets } from "./retry-buckets.js";

/**
 * Parks records with a copy of their frame, a slice of `frames`. If a record is parked already (before a seek back),
 * its row is replaced. Locks: rows of `parked`, after the rows of their claims. Index: `retries_pkey`, `parked_pkey`.
 */
const insertParked = prepareStatement({
  name: "park_records",
  values: {
    subscriptionId: "bigint",
    claimIds: "bigint[]",
    buckets: "bigint[]",
    offsets: "int8multirange",
    parked: "jsonb",
    frames: "bytea",
    reasonsMax: "int",
  },
  build: (value) => sql<object>`
with known as materialized (
  select r.claim_id, each."offset", r.deliveries, r.reasons
  from millrace.retries as r
    cross join lateral unnest(r.offsets * ${value.offsets}) as part
    cross join lateral generate_series(lower(part), upper(part) - 1) as each ("offset")
  where r.subscription_id = ${value.subscriptionId} and r.claim_id = any(${value.claimIds})
    and r.bucket = any(${value.buckets}) and r.offsets && ${value.offsets}
)
insert into millrace.parked as p (subscription_id, "offset", parked_time, deliveries, slot, lane, reasons, frame)
select ${value.subscriptionId}, w."offset", (extract(epoch from statement_timestamp()) * 1000000)::bigint, w.deliveries,
  w.slot, w.lane, ${newestReasons(sql`coalesce(r.reasons, '{}') || w.reason`, value.reasonsMax)},
  substring(${value.frames} from w.start + 1 for w.length)
from jsonb_to_recordset(${value.parked}) as w ("claimId" bigint, "offset" bigint, deliveries int, slot int, lane bigint,
    reason text, start int, length int)
  left join (
    select distinct on ("offset") * from known order by "offset", deliveries desc
  ) as r on r."offset" = w."offset" and r.claim_id = w."claimId"
on conflict (subscription_id, "offset") do update
set parked_time = excluded.parked_time, deliveries = excluded.deliveries, slot = excluded.slot, lane = excluded.lane,
    reasons = excluded.reasons, frame = excluded.frame`,
});

/**
 * Parks each offset once; the caller holds the locks of their claims. A frame is copied from where it was redriven, or
 * from the topic, if the topic still has it. A record whose frame is gone is not parked.
 */
export async function parkRecords(
  connection: Connection,
  subscriptionId: number,
  parked: readonly ParkWrite[],
): Promise<void> {
  const offsets = parked.map(({ offset }) => offset);
  const found = await readRetryFrames(connection, subscriptionId, offsets);
  const frames = new Map(found.map(({ offset, frame }) => [offset, frame]));
  let start = 0;
  const rows = parked.flatMap(({ claimId, offset, deliveries, slot, lane, reason }) => {
    const length = frames.get(offset)?.length;
    if (length === undefined) return [];
    start += length;
    const frame = { start: start - length, length };
    return [{ claimId, offset, deliveries, slot, lane, reason: storableText(reason), ...frame }];
  });
  const values = {
    subscriptionId,
    claimIds: `{${[...new Set(parked.map(({ claimId }) => claimId))].join(",")}}`,
    buckets: encodeBuckets(offsets),
    offsets: encodeRanges(rangesOf(offsets)),
    parked: JSON.stringify(rows),
    frames: Buffer.concat(rows.map(({ offset }) => frames.get(offset) as Uint8Array)),
    reasonsMax: deliveryBounds.reasons,
  };
  if (rows.length > 0) await connection.run(insertParked, values);
}
