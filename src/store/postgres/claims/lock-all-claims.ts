import type { Session } from "../database/database.js";
import { tables } from "../schema.js";
import { isAnyOf } from "../selection.js";
import { prepareStatement } from "../statement.js";

/**
 * Waits for all writes to the claims of some subscriptions. What it returns is of no use: a block that was being
 * cut off the rest is there for the next statement, and none is cut any more. Locks: the claims' rows, by id.
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

/** To be called with the subscriptions' own rows locked, so that no redrive adds a claim meanwhile. */
export async function lockAllClaims(session: Session, subscriptionIds: readonly number[]): Promise<void> {
  await session.run(selectForUpdate, { subscriptionIds: `{${subscriptionIds.join(",")}}` });
}
