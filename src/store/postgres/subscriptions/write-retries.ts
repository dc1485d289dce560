import { sql } from "kysely";
import { deliveryBounds } from "../../../core/index.js";
import type { RetryWrite } from "../../subscription-store.js";
import type { Session } from "../database/database.js";
import { prepareStatement } from "../statement.js";
import { newestReasons, storableText } from "./reasons.js";

/**
 * Notes that records are to be handed out again. What was noted of them before gets one more reason; where they were
 * redriven from stays. Times are from the database's clock.
 * Locks: rows of `retries`, behind those of their claims, under which alone they are written. Index: `retries_pkey`.
 */
const upsertRetries = prepareStatement({
  name: "write_retries",
  values: { subscriptionId: "bigint", retries: "jsonb", reasonsMost: "int" },
  build: (value) => sql<object>`
insert into millrace.retries as r (subscription_id, "offset", claim_id, deliveries, failures, retry_time, lane, reasons)
select ${value.subscriptionId}, w."offset", w."claimId", w.deliveries, w.failures,
  ((extract(epoch from statement_timestamp()) + w."delayMs" / 1000) * 1000000)::bigint, w.lane,
  case when w.reason is null then '{}' else array[w.reason] end
from jsonb_to_recordset(${value.retries}) as w ("offset" bigint, "claimId" bigint, deliveries int, failures int,
  "delayMs" numeric, lane bigint, reason text)
on conflict (subscription_id, "offset") do update
set claim_id = excluded.claim_id, deliveries = excluded.deliveries, failures = excluded.failures,
    retry_time = excluded.retry_time, lane = excluded.lane,
    reasons = ${newestReasons(sql`r.reasons || excluded.reasons`, value.reasonsMost)}`,
});

/** Each offset once, and each in a claim whose lock is held. */
export async function writeRetries(
  session: Session,
  subscriptionId: number,
  retries: readonly RetryWrite[],
): Promise<void> {
  const rows = retries.map(({ offset, claimId, deliveries, failures, delayMs, lane, reason }) => ({
    offset,
    claimId,
    deliveries,
    failures,
    delayMs,
    lane,
    reason: reason === undefined ? undefined : storableText(reason),
  }));
  const values = { subscriptionId, retries: JSON.stringify(rows), reasonsMost: deliveryBounds.reasons };
  await session.run(upsertRetries, values);
}
