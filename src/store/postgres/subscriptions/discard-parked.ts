import { sql } from "kysely";
import type { Database } from "../database/database.js";
import { prepareStatement } from "../statement.js";

/** Locks: the rows that go. Index: `parked_pkey`. */
const deleteParked = prepareStatement({
  values: { subscriptionId: "bigint", offsets: "bigint[]" },
  build: (value) => sql<{ deleted: number }>`
with deleted as (
  delete from millrace.parked
  where subscription_id = ${value.subscriptionId} and "offset" = any(${value.offsets})
  returning 1
)
select count(*) as deleted from deleted`,
});

/** Returns how many there were. */
export async function discardParked(
  database: Database,
  subscriptionId: number,
  offsets: readonly number[],
): Promise<number> {
  if (offsets.length === 0) return 0;
  const [row] = await database.run(deleteParked, { subscriptionId, offsets: `{${offsets.join(",")}}` });
  return row?.deleted ?? 0;
}
