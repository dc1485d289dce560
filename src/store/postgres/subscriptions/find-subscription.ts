import type { StoredSubscription } from "../../subscription-store.js";
import type { Session } from "../database/database.js";
import { prepareStatement } from "../statement.js";
import { selectSubscriptions, toStoredSubscription } from "./stored-subscription.js";

/** A subscription by its name. No locks. Index: `subscriptions_name_key`, `topics_pkey`. */
const selectByName = prepareStatement({
  name: "find_subscription",
  values: { name: "text" },
  build: (value) => selectSubscriptions().where("s.name", "=", value.name),
});

/** A subscription by its id, as it is after a change. No locks. Index: `subscriptions_pkey`, `topics_pkey`. */
const selectById = prepareStatement({
  values: { subscriptionId: "bigint" },
  build: (value) => selectSubscriptions().where("s.subscription_id", "=", value.subscriptionId),
});

export async function findSubscription(
  session: Pick<Session, "run">,
  name: string,
): Promise<StoredSubscription | undefined> {
  const [row] = await session.run(selectByName, { name });
  return row && toStoredSubscription(row);
}

export async function findSubscriptionById(
  session: Pick<Session, "run">,
  subscriptionId: number,
): Promise<StoredSubscription | undefined> {
  const [row] = await session.run(selectById, { subscriptionId });
  return row && toStoredSubscription(row);
}
