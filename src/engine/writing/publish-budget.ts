/**
 * Bounds the bytes of batches that wait for their commit, for each topic and for the node (invariant 6). A batch takes
 * its topic's room first, so publishers of a slow topic do not hold the node's room while they wait.
 */

import { type Limits, MillraceError } from "../../core/index.js";
import { type Permit, Semaphore, SemaphoreFullError } from "../../streams/index.js";

export interface PublishBudget {
  /** Bytes in use by the whole node. */
  readonly bytes: number;
  /** The budget of one topic. */
  forTopic(): TopicBudget;
}

/** The room that a batch holds until it is committed or refused. */
export type BudgetShare = Pick<Permit, "release">;

export interface TopicBudget {
  /** Bytes in use by the topic. */
  readonly bytes: number;
  /** How many bytes the topic may use. */
  readonly capacity: number;
  /** Waits for room and takes it. Throws `publish-budget-exceeded` if too many wait already. */
  acquire(bytes: number, signal?: AbortSignal): Promise<BudgetShare>;
  /** Takes room if there is some now and nobody waits for it. */
  tryAcquire(bytes: number): BudgetShare | undefined;
}

export function createPublishBudget(
  limits: Pick<Limits, "publishTopicBytes" | "publishNodeBytes" | "laneQueue">,
): PublishBudget {
  const node = new Semaphore({ capacity: limits.publishNodeBytes, maxWaiting: limits.laneQueue });
  let used = 0;
  return {
    get bytes() {
      return used;
    },
    forTopic() {
      const topic = new Semaphore({ capacity: limits.publishTopicBytes, maxWaiting: limits.laneQueue });
      const both = (own: Permit, shared: Permit): BudgetShare => {
        const { weight } = own;
        used += weight;
        let isHeld = true;
        return {
          release() {
            if (!isHeld) return;
            isHeld = false;
            used -= weight;
            own.release();
            shared.release();
          },
        };
      };
      return {
        get bytes() {
          return limits.publishTopicBytes - topic.available;
        },
        capacity: limits.publishTopicBytes,
        async acquire(bytes, signal) {
          const own = await acquireOrRefuse(topic, bytes, signal);
          try {
            return both(own, await acquireOrRefuse(node, bytes, signal));
          } catch (error) {
            own.release();
            throw error;
          }
        },
        tryAcquire(bytes) {
          const own = topic.tryAcquire(bytes);
          const shared = own && node.tryAcquire(bytes);
          if (own !== undefined && shared !== undefined) return both(own, shared);
          own?.release();
          return undefined;
        },
      };
    },
  };
}

async function acquireOrRefuse(semaphore: Semaphore, bytes: number, signal?: AbortSignal): Promise<Permit> {
  try {
    return await semaphore.acquire(bytes, signal);
  } catch (error) {
    if (error instanceof SemaphoreFullError) throw budgetExceeded(error);
    throw error;
  }
}

/** Too many bytes wait for their commit. */
export function budgetExceeded(cause?: unknown): MillraceError {
  return new MillraceError(
    "publish-budget-exceeded",
    "Too much waits to be committed (MILLRACE_PUBLISH_TOPIC_BYTES, MILLRACE_PUBLISH_NODE_BYTES); publish more slowly, or use Publish, which waits",
    { retryDelayMs: 250, cause },
  );
}
