import { MillraceError } from "../../../core/index.js";
import type { LockedAppend } from "../../log-store.js";
import type { Database } from "../database/database.js";
import type { LogShape } from "../log-shape.js";
import { append } from "./append-blocks.js";
import { lockHead } from "../topics/lock-head.js";
import { readView } from "./read-view.js";

/**
 * Appends under the head's lock, for topics that several nodes write to: compare-and-append alone would lose the race
 * many times. Lock, view and append are three statements of one transaction, each with a newer snapshot than the one
 * before. Other appends wait for the lock, so nobody moves the end of the log, and the append must match. An immediate
 * retry without the lock takes five tries where eight nodes write.
 *
 * The lock is held for two round trips. If a node dies in between, the server ends its transaction after
 * `idle_in_transaction_session_timeout`.
 */
export async function appendLocked(
  database: Database,
  shape: LogShape,
  { topicId, producerIds, decide }: LockedAppend,
): Promise<"committed" | "nothing" | undefined> {
  return database.transaction(async (connection) => {
    if (!(await lockHead(connection, topicId))) return undefined;
    const view = await readView(connection, topicId, producerIds);
    if (view === undefined) return undefined;
    const write = decide(view);
    if (write === undefined) return "nothing";
    if ((await append(connection, shape, write)) === "moved") {
      throw new MillraceError("internal", `Cannot append to topic ${topicId}: its head changed under its lock`);
    }
    return "committed";
  });
}
