/** How full the node's queues and buffers are. Operators tune capacities by it. */

import type { QueueDepth } from "../../core/index.js";
import type { DatabaseLanes } from "../database-lanes.js";
import type { TopicCache } from "../topics/topic-cache.js";

/** The lanes, then the queues of each topic in memory, by name. With a topic: only its queues. */
export function listQueues(
  { lanes, cache }: { readonly lanes: DatabaseLanes; readonly cache: TopicCache },
  topic: string | undefined,
): readonly QueueDepth[] {
  const open = cache
    .open()
    .filter(({ topic: { name } }) => topic === undefined || name === topic)
    .toSorted((one, other) => (one.topic.name < other.topic.name ? -1 : 1));
  const ofTopics = open.flatMap(({ topic: { name, tail }, writer: { waiting } }): QueueDepth[] => [
    { kind: "publish", name, depth: waiting.bytes, capacity: waiting.capacity },
    { kind: "tail", name, depth: tail.bytes, capacity: tail.capacity },
  ]);
  const ofLanes = lanes.waiting().map((lane): QueueDepth => ({ kind: "lane", ...lane }));
  return topic === undefined ? [...ofLanes, ...ofTopics] : ofTopics;
}
