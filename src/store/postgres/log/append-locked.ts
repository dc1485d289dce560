import { MillraceError } from "../../../core/index.js";
import type { LockedAppend } from "../../log-store.js";
import type { Database } from "../database/database.js";
import type { LogShape } from "../log-shape.js";
import { append } from "./append-blocks.js";
import { lockHead } from "../topics/lock-head.js";
import { readView } from "./read-view.js";

/**
 * Append under the head's lock, for when another node writes too: compare-and-append alone would lose the race again
 * and again. Lock, view and append are three statements of one transaction, each with a newer snapshot than the one
 * before; appends of others wait for the lock, so nobody moves the end of the log, and the append must match. To try
 * again at once instead takes five tries where eight nodes write, and makes a new set of lockers each time.
 *
 * The lock is held for two round trips. A node that dies in between is ended by the server after
 * `idle_in_transaction_session_timeout`.
 */
export async function appendLocked(
  database: Database,
  shape: LogShape,
  { topicId, producerIds, decide }: LockedAppend,
): Promise<"committed" | "nothing" | undefined> {
  return database.transaction(async (session) => {
    if (!(await lockHead(session, topicId))) return undefined;
    const view = await readView(session, topicId, producerIds);
    if (view === undefined) return undefined;
    const write = decide(view);
    if (write === undefined) return "nothing";
    if ((await append(session, shape, write)) === "moved") {
      throw new MillraceError("internal", `The head of topic ${topicId} is not what was decided on under its lock`);
    }
    return "committed";
  });
}
