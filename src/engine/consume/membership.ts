/** How a consumer joins a group: that of its subscription, or an ephemeral one of its own. */

import type { Position, Sharing } from "../../core/index.js";
import type { TaskTracker } from "../../streams/index.js";
import { resolveStart } from "../reading/start-offset.js";
import type { TopicCache } from "../topics/topic-cache.js";
import type { Topic } from "../topics/topic.js";
import { createEphemeralGroup, type EphemeralGroupParts } from "./ephemeral-group.js";
import type { Group } from "./group/group.js";
import type { ConsumeOpening } from "./handing-out/consume-messages.js";
import type { Consumer } from "./handing-out/consumer.js";
import type { OpenGroups } from "./open-groups.js";

/** A consumer's place in its group. */
export interface Membership {
  readonly group: Group;
  readonly topic: Topic;
  readonly sharing: Sharing;
  readonly session: number;
  /** Where the group stood when the consumer came. */
  readonly cursor: Position;
  /** The node drains: the consumer is handed no more records. */
  drain(): void;
  /** Only the first call counts. `wasLost`: as of `Group.leave`. */
  leave(wasLost: boolean): void;
}

export async function joinSubscription(groups: OpenGroups, name: string, consumer: Consumer): Promise<Membership> {
  for (;;) {
    const use = await groups.acquire(name);
    const { held } = use;
    const { group, topic, session } = held;
    const { sharing, epoch } = held.subscription;
    const leave = once((wasLost: boolean) => {
      group.leave(consumer, wasLost);
      use.release();
    });
    try {
      await held.join(consumer);
    } catch (error) {
      leave(false);
      throw error;
    }
    if (use.isOpen) {
      const drain = () => {
        group.drain(consumer);
        held.nudge();
      };
      return { group, topic, sharing, session, cursor: { epoch, offset: use.cursor }, drain, leave };
    }
    // The group ended while the consumer waited to be let in, and nobody would tell it.
    leave(false);
  }
}

export interface JoinTopicParts extends EphemeralGroupParts {
  readonly cache: TopicCache;
  /** Waits for groups that close. */
  readonly closings: TaskTracker;
}

export interface TopicJoiner {
  readonly opening: ConsumeOpening & { readonly kind: "ephemeral" };
  readonly consumer: Consumer;
}

export async function joinTopic(
  parts: JoinTopicParts,
  { opening, consumer }: TopicJoiner,
  signal: AbortSignal,
): Promise<Membership> {
  const { cache, lanes, closings } = parts;
  const { lease, stored } = await cache.acquireFresh(opening.topic, signal);
  try {
    const { topic } = lease;
    const from = await resolveStart(opening.start ?? { at: "latest" }, { topic, head: stored.head, lanes }, signal);
    topic.followers += 1;
    const group = createEphemeralGroup(parts, lease, from);
    group.join(consumer);
    const leave = once((wasLost: boolean) => {
      group.leave(consumer, wasLost);
      closings.track(
        group.close(AbortSignal.abort()).finally(() => {
          topic.followers -= 1;
          lease.release();
        }),
      );
    });
    const drain = () => group.drain(consumer);
    const cursor = { epoch: topic.epoch, offset: from };
    return { group, topic, sharing: "exclusive", session: 0, cursor, drain, leave };
  } catch (error) {
    lease.release();
    throw error;
  }
}

function once(work: (wasLost: boolean) => void): (wasLost: boolean) => void {
  let isDone = false;
  return (wasLost) => {
    if (isDone) return;
    isDone = true;
    work(wasLost);
  };
}
