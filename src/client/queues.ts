import type { QueueDepth, QueueKind } from "../core/index.js";
import { InspectServiceService, type Queue as QueueMessage } from "../gen/millrace/v1/inspect_service.js";
import { decodedQueueKind } from "../wire/index.js";
import type { Connection, UnaryOptions } from "./connection.js";

/** How full a queue or buffer of the node is. */
export interface Queue extends Omit<QueueDepth, "kind"> {
  /** Undefined if this client does not know the kind. */
  readonly kind: QueueKind | undefined;
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
  return { kind: decodedQueueKind.get(kind), name, depth, capacity };
}
