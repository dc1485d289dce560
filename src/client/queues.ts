import { InspectServiceService, Queue_Kind, type Queue as QueueMessage } from "../gen/millrace/v1/inspect_service.js";
import type { Connection, UnaryOptions } from "./connection.js";

/**
 * What a queue of the node holds. `lane`: statements that wait for a connection to the database. `publish`: bytes of a
 * topic's batches that wait for their commit. `tail`: bytes of a topic's newest records, for live followers.
 */
export type QueueKind = "lane" | "publish" | "tail";

const kindNames = new Map<Queue_Kind, QueueKind>([
  [Queue_Kind.LANE, "lane"],
  [Queue_Kind.PUBLISH, "publish"],
  [Queue_Kind.TAIL, "tail"],
]);

/** How full a queue or buffer of the node is. */
export interface Queue {
  /** Undefined: of a kind that this client does not know. */
  readonly kind: QueueKind | undefined;
  /** The lane's, or the topic's. */
  readonly name: string;
  readonly depth: number;
  readonly capacity: number;
}

/** Which queues to list. */
export interface QueuesOptions extends UnaryOptions {
  /** Only those of this topic. */
  readonly topic?: string | undefined;
  readonly pageSize?: number | undefined;
}

/** The lanes, and the queues of each topic in the node's memory; asked for a page at a time, as they are iterated. */
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
