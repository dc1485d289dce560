import { sql } from "kysely";
import type { Database } from "../database/database.js";
import { tables } from "../schema.js";
import { prepareStatement } from "../statement.js";

/**
 * Ends expired sessions, permanently. Locks: their rows. A session that was renewed meanwhile is checked again, and
 * stays.
 * Index: none; `sessions` has a row for each node.
 */
const deleteExpired = prepareStatement({
  name: "end_expired_sessions",
  values: {},
  build: () =>
    tables
      .with("ended", (db) =>
        db.deleteFrom("sessions").where("expires_at", "<=", sql<Date>`clock_timestamp()`).returning("session"),
      )
      .selectFrom("ended")
      .select((eb) => eb.fn.countAll<number>().as("ended")),
});

/**
 * Deletes the members of ended sessions, which no reader sees any more. A session's row is inserted before its members.
 * Locks: rows that nobody writes any more. Index: `members_session`, `sessions_pkey`.
 */
const deleteMembers = prepareStatement({
  values: {},
  build: () =>
    tables
      .deleteFrom("members as m")
      .where(({ not, exists, selectFrom }) =>
        not(
          exists(selectFrom("sessions as alive").select("alive.session").whereRef("alive.session", "=", "m.session")),
        ),
      ),
});

/** Returns the number of ended sessions. */
export async function endExpiredSessions(database: Database): Promise<number> {
  const [row] = await database.run(deleteExpired, {});
  const ended = row?.ended ?? 0;
  if (ended > 0) await database.run(deleteMembers, {});
  return ended;
}
