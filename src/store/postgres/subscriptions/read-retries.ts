import { sql } from "kysely";
import type { Retry, RetryPage } from "../../subscription-store.js";
import type { Database } from "../database/database.js";
import { prepareStatement } from "../statement.js";

interface RetryRow extends Omit<Retry, "lane"> {
  readonly lane: number | null;
}

/**
 * A page of what waits in some claims, by time. No locks. Index: `retries_claim`; a page sorts all that waits in the claims and
 * keeps its own rows, since an index on times would cost every later attempt its heap-only update.
 */
const selectRetries = prepareStatement({
  name: "read_retries",
  values: {
    subscriptionId: "bigint",
    claimIds: "bigint[]",
    afterMicros: "bigint",
    afterOffset: "bigint",
    count: "bigint",
  },
  build: (value) => sql<RetryRow>`
select claim_id as "claimId", "offset", deliveries, failures, retry_time as "retryAtMicros", lane,
  greatest(0, (retry_time - (extract(epoch from clock_timestamp()) * 1000000)::bigint) / 1000.0)::float8 as "delayMs"
from millrace.retries
where subscription_id = ${value.subscriptionId} and claim_id = any(${value.claimIds})
  and (retry_time, "offset") > (${value.afterMicros}, ${value.afterOffset})
order by retry_time, "offset"
limit ${value.count}`,
});

export async function readRetries(
  database: Database,
  subscriptionId: number,
  claimIds: readonly number[],
  { after, count }: RetryPage,
): Promise<readonly Retry[]> {
  if (claimIds.length === 0) return [];
  const rows = await database.run(selectRetries, {
    subscriptionId,
    claimIds: `{${claimIds.join(",")}}`,
    afterMicros: after?.retryAtMicros ?? -1,
    afterOffset: after?.offset ?? -1,
    count,
  });
  return rows.map((row) => ({ ...row, lane: row.lane ?? undefined }));
}
