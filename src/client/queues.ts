import { InspectServiceService, Queue_Kind, type Queue as QueueMessage } from "../gen/millrace/v1/inspect_service.js";
import type { Connection, UnaryOptions } from "./connection.js";

/**
 * `lane`: statements that wait for a database connection. `publish`: bytes of a topic's batches that wait for their
 * commit. `tail`: bytes of a topic's newest records, kept in memory for live followers.
 */
export type QueueKind = "lane" | "publish" | "tail";

const kindNames = new Map<Queue_Kind, QueueKind>([
  [Queue_Kind.LANE, "lane"],
  [Queue_Kind.PUBLISH, "publish"],
  [Queue_Kind.TAIL, "tail"],
]);

/** How full a queue or buffer of the node is. */
export interface Queue {
  /** Undefined if this client does not know the kind. */
  readonly kind: QueueKind | undefined;
  /** Of the lane or the topic. */
  readonly name: string;
  readonly depth: number;
  readonly capacity: number;
}

/** Which queues to list. */
export interface QueuesOptions extends UnaryOptions {
  /** Only queues of this topic. */
  readonly topic?: string | undefined;
  readonly pageSize?: number | undefined;
}

/** The lanes, and the queues of each topic in the node's memory. Pages are requested during the iteration. */
export async function* listQueues(
  connection: Connection,
  { topic = "", pageSize = 0, ...options }: QueuesOptions,
): AsyncGenerator<Queue, void> {
  let pageToken = "";
  do {
    const page = await connection.unary(InspectServiceService.listQueues, { topic, pageSize, pageToken }, options);
    yield* page.queues.map(queueOf);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
}

function queueOf({ kind, name, depth, capacity }: QueueMessage): Queue {
  return { kind: kindNames.get(kind), name, depth, capacity };
}
