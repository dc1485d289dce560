import { sql } from "kysely";
import type { Database } from "../database/database.js";
import { prepareStatement } from "../statement.js";

/**
 * A claim of a session that has no row is free, so the claims need no change, and no index on their sessions.
 * Locks: the rows of the session. Index: `sessions_pkey`, `members_session`.
 */
const deleteSession = prepareStatement({
  values: { session: "bigint" },
  build: (value) => sql<object>`
with membership as (
  delete from millrace.members where session = ${value.session}
)
delete from millrace.sessions where session = ${value.session}`,
});

export async function closeSession(database: Database, session: number): Promise<void> {
  await database.run(deleteSession, { session });
}
