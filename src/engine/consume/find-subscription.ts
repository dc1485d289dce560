import { checkSubscriptionName, subscriptionNotFound } from "../../core/index.js";
import type { StoredSubscription } from "../../store/index.js";
import type { DatabaseLanes } from "../database-lanes.js";

/** Reads a subscription by its name from the database. Errors: `invalid-argument`, `subscription-not-found`. */
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
