import type { Database } from "../database/database.js";
import { tables } from "../schema.js";
import { isAnyOf } from "../selection.js";
import { prepareStatement } from "../statement.js";

/** Locks: the deleted rows. Index: `parked_pkey`. */
const deleteParked = prepareStatement({
  values: { subscriptionId: "bigint", offsets: "bigint[]" },
  build: (value) =>
    tables
      .with("deleted", (db) =>
        db
          .deleteFrom("parked")
          .where("subscription_id", "=", value.subscriptionId)
          .where((eb) => isAnyOf(eb.ref("offset"), value.offsets))
          .returning("offset"),
      )
      .selectFrom("deleted")
      .select((eb) => eb.fn.countAll<number>().as("deleted")),
});

/** Returns how many were deleted. */
export async function discardParked(
  database: Database,
  subscriptionId: number,
  offsets: readonly number[],
): Promise<number> {
  if (offsets.length === 0) return 0;
  const [row] = await database.run(deleteParked, { subscriptionId, offsets: `{${offsets.join(",")}}` });
  return row?.deleted ?? 0;
}
