import { sql } from "kysely";
import type { Database } from "../database/database.js";
import { prepareStatement } from "../statement.js";

/**
 * Ends all sessions: those of a process that was killed would hold their claims until they expire. For a database that
 * nobody else can have open. Locks: their rows.
 */
const deleteAll = prepareStatement({
  values: {},
  build: () => sql<object>`delete from millrace.sessions`,
});

const deleteMembers = prepareStatement({
  values: {},
  build: () => sql<object>`delete from millrace.members`,
});

export async function endLeftSessions(database: Database): Promise<void> {
  await database.run(deleteAll, {});
  await database.run(deleteMembers, {});
}
