import type { StoredSubscription } from "../../subscription-store.js";
import type { Connection } from "../database/database.js";
import { prepareStatement } from "../statement.js";
import { selectSubscriptions, toStoredSubscription } from "./stored-subscription.js";

/** A subscription by its name. No locks. Index: `subscriptions_name_key`, `topics_pkey`. */
const selectByName = prepareStatement({
  name: "find_subscription",
  values: { name: "text" },
  build: (value) => selectSubscriptions().where("s.name", "=", value.name),
});

/** A subscription by its id, after a change. No locks. Index: `subscriptions_pkey`, `topics_pkey`. */
const selectById = prepareStatement({
  values: { subscriptionId: "bigint" },
  build: (value) => selectSubscriptions().where("s.subscription_id", "=", value.subscriptionId),
});

export async function findSubscription(
  connection: Pick<Connection, "run">,
  name: string,
): Promise<StoredSubscription | undefined> {
  const [row] = await connection.run(selectByName, { name });
  return row && toStoredSubscription(row);
}

export async function findSubscriptionById(
  connection: Pick<Connection, "run">,
  subscriptionId: number,
): Promise<StoredSubscription | undefined> {
  const [row] = await connection.run(selectById, { subscriptionId });
  return row && toStoredSubscription(row);
}
