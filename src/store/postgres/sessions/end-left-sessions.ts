import type { Database } from "../database/database.js";
import { tables } from "../schema.js";
import { prepareStatement } from "../statement.js";

/**
 * Ends all sessions: those of a process that was killed would hold their claims until they expire. For a database that
 * nobody else can have open. Locks: their rows.
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
