import type { DatabaseLanes } from "../database-lanes.js";
import type { Topic } from "./topic.js";

/**
 * Reads a head again after a commit whose answer was lost. Followers see its records at once; the poll would be a
 * second late.
 */
export function rereadHead(topic: Topic, lanes: DatabaseLanes): void {
  if (topic.isOver) return;
  const nextBefore = topic.tip.value.nextOffset;
  lanes
    .attempt("live", (store) => store.readHeads([topic.topicId]))
    .then(
      ([head]) => {
        if (head === undefined) topic.markDeleted();
        else topic.observe(head, nextBefore);
      },
      // The poll tries again.
      () => undefined,
    );
}
