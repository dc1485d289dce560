import type { Database } from "../database/database.js";
import { tables } from "../schema.js";
import { prepareStatement } from "../statement.js";

/**
 * Ends a session. A claim whose session has no row is free, so claims need no update, and no index on their sessions.
 * Locks: the session's rows. Index: `sessions_pkey`, `members_session`.
 */
const deleteSession = prepareStatement({
  values: { session: "bigint" },
  build: (value) =>
    tables
      .with("membership", (db) => db.deleteFrom("members").where("session", "=", value.session))
      .deleteFrom("sessions")
      .where("session", "=", value.session),
});

export async function closeSession(database: Database, session: number): Promise<void> {
  await database.run(deleteSession, { session });
}
