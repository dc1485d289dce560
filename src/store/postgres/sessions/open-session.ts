import { sql } from "kysely";
import type { NewSession } from "../../claim-store.js";
import type { Database } from "../database/database.js";
import { prepareStatement } from "../statement.js";

/** Locks: a new row. Times are the database's own, so nodes' clocks need not agree. Index: `sessions_pkey`. */
const insertSession = prepareStatement({
  values: { session: "bigint", node: "text", leaseMs: "bigint" },
  build: (value) => sql<object>`
insert into millrace.sessions (session, node, expires_at)
values (${value.session}, ${value.node}, clock_timestamp() + ${value.leaseMs} * interval '1 millisecond')`,
});

export async function openSession(database: Database, session: NewSession): Promise<void> {
  await database.run(insertSession, session);
}
