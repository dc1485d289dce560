import { sql } from "kysely";
import type { Database } from "../database/database.js";
import { prepareStatement } from "../statement.js";

/** Locks: the session's own row. Index: `members_pkey`. */
const deleteMember = prepareStatement({
  values: { subscriptionId: "bigint", session: "bigint" },
  build: (value) => sql<object>`
delete from millrace.members where subscription_id = ${value.subscriptionId} and session = ${value.session}`,
});

export async function leaveSubscription(database: Database, subscriptionId: number, session: number): Promise<void> {
  await database.run(deleteMember, { subscriptionId, session });
}
