import type { NewSession } from "../../claim-store.js";
import type { Database } from "../database/database.js";
import { tables } from "../schema.js";
import { timeIn } from "../selection.js";
import { prepareStatement } from "../statement.js";

/** Locks: a new row. Times are the database's, so the nodes' clocks may differ. Index: `sessions_pkey`. */
const insertSession = prepareStatement({
  values: { session: "bigint", node: "text", leaseMs: "bigint" },
  build: (value) =>
    tables.insertInto("sessions").values({
      session: value.session,
      node: value.node,
      expires_at: timeIn(value.leaseMs),
    }),
});

export async function openSession(database: Database, session: NewSession): Promise<void> {
  await database.run(insertSession, session);
}
