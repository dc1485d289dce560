import { trackTasks } from "../../streams/index.js";
import type { Logger } from "../../telemetry/index.js";
import type { SubscriptionGroup } from "./subscription-group.js";

/** Looks for what other nodes settled of a group: one look at a time, and one more if there was reason to meanwhile. */
export interface SettledLookups {
  look(held: SubscriptionGroup | undefined): void;
  /** Resolves when no look is under way. */
  settled(): Promise<void>;
}

export function createSettledLookups(logger: Logger): SettledLookups {
  const looking = trackTasks((error) => logger.warn({ err: error }, "cannot look for what other nodes settled"));
  /** Groups that are being looked at. True: to be looked at once more. */
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
