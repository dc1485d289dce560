import type { StoredTopic } from "../../topic-store.js";
import type { Database } from "../database/database.js";
import { findTopicById } from "./find-topic.js";
import { lockHead } from "./lock-head.js";
import { raiseEarliest } from "../log/raise-earliest.js";

/**
 * Raises `earliest_offset`, never above the next offset and never down. Locks: the head's row first, so that the end of
 * the log is read when no append is under way.
 */
export async function trimTopic(
  database: Database,
  topicId: number,
  beforeOffset: number,
): Promise<StoredTopic | undefined> {
  return database.transaction(async (session) => {
    if (!(await lockHead(session, topicId))) return undefined;
    await raiseEarliest(session, { topicId, offset: beforeOffset, isControl: true });
    return findTopicById(session, topicId);
  });
}
