import { trackTasks } from "../../streams/index.js";
import type { Logger } from "../../telemetry/index.js";
import type { SubscriptionGroup } from "./subscription-group.js";

/** Finds in the claims of a group what other nodes settled: one search at a time, and another if it was asked for meanwhile. */
export interface SettledLookups {
  look(held: SubscriptionGroup | undefined): void;
  /** Resolves when no search is under way. */
  settled(): Promise<void>;
}

export function createSettledLookups(logger: Logger): SettledLookups {
  const looking = trackTasks((error) => logger.warn({ err: error }, "cannot look for what other nodes settled"));
  /** Groups with a search under way. True: another one was asked for. */
  const looks = new Map<SubscriptionGroup, boolean>();
  const look = (held: SubscriptionGroup | undefined): void => {
    if (held === undefined) return;
    const isLooking = looks.has(held);
    looks.set(held, isLooking);
    if (isLooking) return;
    looking.track(
      held.takeSettled().finally(() => {
        const isWanted = looks.get(held) === true;
        looks.delete(held);
        if (isWanted) look(held);
      }),
    );
  };
  return { look, settled: () => looking.settled() };
}
