/** How full the node's queues and buffers are. Operators tune capacities by it. */

import type { DatabaseLanes } from "../database-lanes.js";
import type { TopicCache } from "../topics/topic-cache.js";

/** How full a queue or buffer of the node is. */
export interface Queue {
  /**
   * What it holds. `lane`: statements that wait for a connection. `publish`: bytes of batches that wait for their
   * commit. `tail`: bytes of the newest records.
   */
  readonly kind: "lane" | "publish" | "tail";
  /** The name of the lane or of the topic. */
  readonly name: string;
  readonly depth: number;
  readonly capacity: number;
}

/** The lanes, then the queues of each topic in memory, by name. With a topic: only its queues. */
export function listQueues(
  { lanes, cache }: { readonly lanes: DatabaseLanes; readonly cache: TopicCache },
  topic: string | undefined,
): readonly Queue[] {
  const open = cache
    .open()
    .filter(({ topic: { name } }) => topic === undefined || name === topic)
    .toSorted((one, other) => (one.topic.name < other.topic.name ? -1 : 1));
  const ofTopics = open.flatMap(({ topic: { name, tail }, writer: { waiting } }): Queue[] => [
    { kind: "publish", name, depth: waiting.bytes, capacity: waiting.capacity },
    { kind: "tail", name, depth: tail.bytes, capacity: tail.capacity },
  ]);
  const ofLanes = lanes.waiting().map((lane): Queue => ({ kind: "lane", ...lane }));
  return topic === undefined ? [...ofLanes, ...ofTopics] : ofTopics;
}
