import type { StoredTopic } from "../../topic-store.js";
import type { Database } from "../database/database.js";
import { findTopicById } from "./find-topic.js";
import { lockHead } from "./lock-head.js";
import { raiseEarliest } from "../log/raise-earliest.js";

/**
 * Raises `earliest_offset`, never above the next offset, and never lowers it. Locks: the head's row first, so that no
 * append is running when the end of the log is read.
 */
export async function trimTopic(
  database: Database,
  topicId: number,
  beforeOffset: number,
): Promise<StoredTopic | undefined> {
  return database.transaction(async (connection) => {
    if (!(await lockHead(connection, topicId))) return undefined;
    await raiseEarliest(connection, { topicId, offset: beforeOffset, isControl: true });
    return findTopicById(connection, topicId);
  });
}
