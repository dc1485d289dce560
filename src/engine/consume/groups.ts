/** The subscriptions that this node's consumers share: what the rest of the engine may ask of them. */

import type { ConsumerFacts } from "../subscription-engine.js";

export interface ConsumerGroups {
  /** Those who consume a subscription on this node, as they are now. */
  factsOf(subscriptionId: number): readonly ConsumerFacts[];
  /** Something of a subscription was changed here (paused, sought, redriven, deleted, …): its group looks at once. */
  nudge(subscriptionId: number): void;
  /** A Commit settled these records: whoever had them has them no more. */
  settledByCommit(subscriptionId: number, session: number, offsets: readonly number[]): void;
}
