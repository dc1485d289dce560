import { sql } from "kysely";
import type { ParkedRequest, StoredParked } from "../../subscription-store.js";
import type { Database } from "../database/database.js";
import { prepareStatement } from "../statement.js";

interface ParkedRow extends Omit<StoredParked, "frame"> {
  readonly frame: string;
}

/**
 * A page of parked records by offset. No locks. The lengths of frames are known without reading them; so what is beyond
 * the page's bytes is not read. Index: `parked_pkey` over a closed range.
 */
const selectParked = prepareStatement({
  values: { subscriptionId: "bigint", from: "bigint", until: "bigint", count: "bigint", bytes: "bigint" },
  build: (value) => sql<ParkedRow>`
select page."offset", translate(encode(page.frame, 'base64'), E'\\n', '') as frame,
  page.parked_time as "parkedMicros", page.deliveries, page.reasons
from (
  select found.*, row_number() over (order by found."offset") as position,
    sum(octet_length(found.frame)) over (order by found."offset") as bytes
  from (
    select * from millrace.parked
    where subscription_id = ${value.subscriptionId} and "offset" >= ${value.from} and "offset" < ${value.until}
    order by "offset"
    limit ${value.count}
  ) as found
) as page
where page.position = 1 or page.bytes <= ${value.bytes}
order by page."offset"`,
});

export async function listParked(database: Database, request: ParkedRequest): Promise<readonly StoredParked[]> {
  const { subscriptionId, from, count, bytes } = request;
  const until = Math.min(request.until, Number.MAX_SAFE_INTEGER);
  const rows = await database.run(selectParked, { subscriptionId, from, until, count, bytes });
  return rows.map((row) => ({ ...row, frame: Buffer.from(row.frame, "base64") }));
}
