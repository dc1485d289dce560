/**
 * Reads the next offsets of followed topics once a second. It finds what other nodes appended, and commits whose answer was
 * lost. Everything faster only improves on this.
 */

import type { Limits } from "../../core/index.js";
import { repeat } from "../../streams/index.js";
import type { Clock, Logger } from "../../telemetry/index.js";
import type { DatabaseLanes } from "../database-lanes.js";
import type { TopicCache } from "../topics/topic-cache.js";

/** The most topics that one statement asks for. */
const topicsPerRead = 1000;

export interface HeadPollParts {
  readonly lanes: DatabaseLanes;
  readonly cache: TopicCache;
  readonly limits: Pick<Limits, "headPollMs">;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Runs until the signal aborts. Never throws: an unavailable database is asked again. */
export function pollHeads(parts: HeadPollParts, signal: AbortSignal): Promise<void> {
  return repeat(
    () => readHeadsOnce(parts, signal),
    {
      everyMs: parts.limits.headPollMs,
      timers: parts.clock,
      onError: (error) => parts.logger.debug({ err: error }, "heads could not be read; trying again"),
    },
    signal,
  );
}

/** Moves every followed topic to its present head. */
export async function readHeadsOnce(
  { lanes, cache }: Pick<HeadPollParts, "lanes" | "cache">,
  signal: AbortSignal,
): Promise<void> {
  const topics = cache.followed().map((entry) => entry.topic);
  for (let start = 0; start < topics.length; start += topicsPerRead) {
    const asked = topics.slice(start, start + topicsPerRead);
    const nextBefore = asked.map((topic) => topic.tip.value.nextOffset);
    const heads = await lanes.run("live", (store) => store.readHeads(asked.map((topic) => topic.topicId)), signal);
    const byId = new Map(heads.map((head) => [head.topicId, head]));
    asked.forEach((topic, index) => {
      const head = byId.get(topic.topicId);
      if (head === undefined) topic.markDeleted();
      else topic.observe(head, nextBefore[index] ?? 0);
    });
  }
}
