import { sql } from "kysely";
import type { Retry } from "../../claim-store.js";
import type { Database } from "../database/database.js";
import { prepareStatement } from "../statement.js";
import { decodeRanges } from "./offset-ranges.js";

interface RetryRow extends Omit<Retry, "ranges" | "lanes"> {
  readonly offsets: string;
  readonly lanes: Readonly<Record<string, number>> | null;
}

/**
 * The waiting records of some claims. One `now` for all, so delays keep their order. No locks. Index: `retries_pkey`.
 */
const selectRetries = prepareStatement({
  name: "read_retries",
  values: { subscriptionId: "bigint", claimIds: "bigint[]" },
  build: (value) => sql<RetryRow>`
select claim_id as "claimId", offsets::text as offsets, deliveries, failures, lanes,
  greatest(0, (retry_time - (extract(epoch from statement_timestamp()) * 1000000)::bigint) / 1000.0)::float8 as "delayMs"
from millrace.retries
where subscription_id = ${value.subscriptionId} and claim_id = any(${value.claimIds})
order by deliveries desc, claim_id, bucket, retry_id`,
});

export async function readRetries(
  database: Database,
  subscriptionId: number,
  claimIds: readonly number[],
): Promise<readonly Retry[]> {
  if (claimIds.length === 0) return [];
  const rows = await database.run(selectRetries, { subscriptionId, claimIds: `{${claimIds.join(",")}}` });
  return rows.map(({ offsets, lanes, ...rest }) => ({
    ...rest,
    ranges: decodeRanges(offsets),
    lanes: new Map(Object.entries(lanes ?? {}).map(([offset, lane]) => [Number(offset), lane])),
  }));
}
