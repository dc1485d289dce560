import type { Connection } from "../database/database.js";
import { tables } from "../schema.js";
import { isAnyOf } from "../selection.js";
import { prepareStatement } from "../statement.js";

/**
 * Waits for all writes to the claims of some subscriptions. Its result is not used: a block that was being cut off the
 * rest is visible only to the next statement. While the locks are held, no block is cut. Locks: the claims' rows, by
 * id.
 * Index: `claims_pkey`.
 */
const selectForUpdate = prepareStatement({
  values: { subscriptionIds: "bigint[]" },
  build: (value) =>
    tables
      .selectFrom("claims")
      .where((eb) => isAnyOf(eb.ref("subscription_id"), value.subscriptionIds))
      .select("claim_id")
      .orderBy("subscription_id")
      .orderBy("claim_id")
      .forUpdate(),
});

/** The caller must hold the locks of the subscriptions' rows, so that no redrive adds a claim meanwhile. */
export async function lockAllClaims(connection: Connection, subscriptionIds: readonly number[]): Promise<void> {
  await connection.run(selectForUpdate, { subscriptionIds: `{${subscriptionIds.join(",")}}` });
}
