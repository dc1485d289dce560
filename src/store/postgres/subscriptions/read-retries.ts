import { sql } from "kysely";
import type { Retry } from "../../subscription-store.js";
import type { Database } from "../database/database.js";
import { prepareStatement } from "../statement.js";

interface RetryRow extends Omit<Retry, "lane"> {
  readonly lane: number | null;
}

/** What waits in some claims, by time. No locks. Index: `retries_claim`. */
const selectRetries = prepareStatement({
  name: "read_retries",
  values: { subscriptionId: "bigint", claimIds: "bigint[]", count: "bigint" },
  build: (value) => sql<RetryRow>`
select claim_id as "claimId", "offset", deliveries, failures, retry_time as "retryAtMicros", lane
from millrace.retries
where subscription_id = ${value.subscriptionId} and claim_id = any(${value.claimIds})
order by retry_time, "offset"
limit ${value.count}`,
});

export async function readRetries(
  database: Database,
  subscriptionId: number,
  claimIds: readonly number[],
  count: number,
): Promise<readonly Retry[]> {
  if (claimIds.length === 0) return [];
  const rows = await database.run(selectRetries, { subscriptionId, claimIds: `{${claimIds.join(",")}}`, count });
  return rows.map((row) => ({ ...row, lane: row.lane ?? undefined }));
}
