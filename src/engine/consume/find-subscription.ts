import { checkSubscriptionName, subscriptionNotFound } from "../../core/index.js";
import type { StoredSubscription } from "../../store/index.js";
import type { DatabaseLanes } from "../database-lanes.js";

/** The subscription of a name as the database has it now. Errors: `invalid-argument`, `subscription-not-found`. */
export async function findSubscription(
  lanes: DatabaseLanes,
  name: string,
  signal?: AbortSignal,
): Promise<StoredSubscription> {
  checkSubscriptionName(name);
  const stored = await lanes.run("live", (store) => store.findSubscription(name), signal);
  if (stored === undefined) throw subscriptionNotFound(name);
  return stored;
}
