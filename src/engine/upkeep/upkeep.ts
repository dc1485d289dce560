/** What a node does in the background: for the topics in its memory, and for everybody's tables. */

import type { Limits } from "../../core/index.js";
import type { Clock, Logger, Metrics } from "../../telemetry/index.js";
import type { DatabaseLanes } from "../database-lanes.js";
import type { StampClock } from "../topics/stamp-clock.js";
import type { Topic } from "../topics/topic.js";
import type { TopicCache } from "../topics/topic-cache.js";
import { pollHeads } from "./head-poll.js";
import { createHeldSnapshots } from "./held-snapshots.js";
import { createHousekeeping } from "./housekeeping.js";
import { createMerging } from "./merging.js";
import { RetentionKeeper } from "./retention.js";
import { createStateBuilder } from "./state-builder.js";

export interface UpkeepParts {
  readonly lanes: DatabaseLanes;
  readonly cache: TopicCache;
  readonly limits: Limits;
  readonly stampClock: StampClock;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** Takes a background promise that the engine's close waits for. */
  readonly track: (task: Promise<unknown>) => void;
}

export interface Upkeep {
  /** This node committed to the topic. Gives a promise if the next commit has to wait for a trim. */
  appended(topic: Topic): Promise<void> | undefined;
  /** Rows wait to be deleted. */
  trimmed(): void;
  /** A topic's retention changed. */
  retained(): void;
  /** There is a state to build. */
  turnedKeyed(): void;
  /** Starts all loops. They run until the signal aborts. */
  start(signal: AbortSignal): void;
}

export function createUpkeep(parts: UpkeepParts): Upkeep {
  const heldSnapshots = createHeldSnapshots(parts);
  const housekeeping = createHousekeeping({ ...parts, heldSnapshots });
  const retention = new RetentionKeeper(parts);
  const merging = createMerging(parts);
  const stateBuilder = createStateBuilder(parts);
  return {
    appended(topic) {
      merging.appended(topic.topicId);
      return retention.appended(topic);
    },
    trimmed: housekeeping.wake,
    retained: () => retention.wake(),
    turnedKeyed: stateBuilder.wake,
    start(signal) {
      parts.track(pollHeads(parts, signal));
      for (const loop of [housekeeping, stateBuilder, retention, merging]) parts.track(loop.run(signal));
    },
  };
}
