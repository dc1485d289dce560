import { sql } from "kysely";
import type { Database } from "../database/database.js";
import { tables } from "../schema.js";
import { prepareStatement } from "../statement.js";

/** Locks: the row of `subscriptions`, so two calls get different tickets. Index: `subscriptions_pkey`. */
const raiseTicket = prepareStatement({
  values: { subscriptionId: "bigint" },
  build: (value) =>
    tables
      .updateTable("subscriptions")
      .set((eb) => ({ ticket: eb("ticket", "+", sql.lit(1)) }))
      .where("subscription_id", "=", value.subscriptionId)
      .returning("ticket"),
});

export async function takeTicket(database: Database, subscriptionId: number): Promise<number | undefined> {
  const [row] = await database.run(raiseTicket, { subscriptionId });
  return row?.ticket;
}
