import type { Database } from "../database/database.js";
import { tables } from "../schema.js";
import { timeIn } from "../selection.js";
import { prepareStatement } from "../statement.js";

/**
 * Also renews an expired session that was not ended yet. Locks: the session's row. Of a renewal and an ending at once,
 * the second sees the result of the first. Index: `sessions_pkey`; the update is heap-only.
 */
const updateSession = prepareStatement({
  name: "renew_session",
  values: { session: "bigint", leaseMs: "bigint" },
  build: (value) =>
    tables
      .updateTable("sessions")
      .set({ expires_at: timeIn(value.leaseMs) })
      .where("session", "=", value.session)
      .returning("session"),
});

/** False: the session was ended. */
export async function renewSession(database: Database, session: number, leaseMs: number): Promise<boolean> {
  const rows = await database.run(updateSession, { session, leaseMs });
  return rows.length > 0;
}
