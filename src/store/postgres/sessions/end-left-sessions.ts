import type { Database } from "../database/database.js";
import { tables } from "../schema.js";
import { prepareStatement } from "../statement.js";

/**
 * Ends all sessions. Those of a killed process would hold their claims until they expire. Only for a database that no
 * other process can have open. Locks: their rows.
 */
const deleteAll = prepareStatement({
  values: {},
  build: () => tables.deleteFrom("sessions"),
});

const deleteMembers = prepareStatement({
  values: {},
  build: () => tables.deleteFrom("members"),
});

export async function endLeftSessions(database: Database): Promise<void> {
  await database.run(deleteAll, {});
  await database.run(deleteMembers, {});
}
