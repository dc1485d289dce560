/** Who consumes on this node: makes consumers and lets them join, and answers what the engine asks of them. */

import type { Limits } from "../../core/index.js";
import type { ClaimStore, SettledRange } from "../../store/index.js";
import { trackTasks } from "../../streams/index.js";
import type { Logger } from "../../telemetry/index.js";
import type { DatabaseLanes } from "../database-lanes.js";
import type { ConsumeOpening, ConsumerFacts, DeliveredRange } from "./handing-out/consume-messages.js";
import type { TopicCache } from "../topics/topic-cache.js";
import { Consumer } from "./handing-out/consumer.js";
import type { EphemeralGroupParts } from "./ephemeral-group.js";
import { joinSubscription, joinTopic, type Membership } from "./membership.js";
import { createNodeSession } from "./node-session.js";
import { outstandingSlots } from "./handing-out/outstanding-records.js";
import { OpenGroups } from "./open-groups.js";
import { createSettledLookups } from "./settled-lookups.js";
import { createSettledNotices } from "./settled-notices.js";

/** What the rest of the engine may ask. */
export interface ConsumerGroups {
  /** The consumers of a subscription on this node, as they are now. */
  factsOf(subscriptionId: number): readonly ConsumerFacts[];
  /** A subscription was changed here (paused, sought, redriven, deleted, …): its group gets in step at once. */
  nudge(subscriptionId: number): void;
  /**
   * A Commit settled records that a session delivered: they are taken off their consumers. False: the session is another
   * node's, which needs a notice.
   */
  settledByCommit(subscriptionId: number, session: number, records: readonly SettledRange[]): boolean;
  /** The slots of the keys of these records, by offset, for those that are outstanding in this session on this node. */
  outstandingSlots(subscriptionId: number, session: number, asked: readonly DeliveredRange[]): Map<number, number>;
}

export interface JoinableGroups extends ConsumerGroups {
  /** Finds or opens the group of an opening, and makes a consumer of it. */
  join(
    opening: ConsumeOpening,
    peer: string,
    signal: AbortSignal,
  ): Promise<{ readonly membership: Membership; readonly consumer: Consumer }>;
  /** Closes all groups, also those with consumers, and ends the session. */
  close(): Promise<void>;
}

export interface ConsumerGroupsParts extends EphemeralGroupParts {
  readonly cache: TopicCache;
  readonly lanes: DatabaseLanes;
  readonly store: Pick<ClaimStore, "listenSettled">;
  readonly limits: Limits;
  readonly logger: Logger;
  /** As Describe names this node. */
  readonly node: string;
  /** As of `NodeSessionParts`. */
  readonly newSession: (() => number) | undefined;
}

export function createConsumerGroups(parts: ConsumerGroupsParts): JoinableGroups {
  const { logger, node } = parts;
  let lastConsumerId = 0;
  const session = createNodeSession({ ...parts, onLost: () => openGroups.loseAll() });
  const lookups = createSettledLookups(logger);
  const notices = createSettledNotices({
    ...parts,
    handlers: {
      onNotice({ subscriptionId, session: holder, records }) {
        if (records !== undefined) settledByCommit(subscriptionId, holder, records);
        else if (holder === session.session) lookups.look(openGroups.find(subscriptionId));
      },
      onGap() {
        for (const held of openGroups) lookups.look(held);
      },
    },
  });
  const openGroups = new OpenGroups({ ...parts, session, notices });
  /** Ephemeral groups that are closing: it takes each of them a moment. */
  const closings = trackTasks((error) => logger.error({ err: error }, "a group of consumers did not close"));

  function settledByCommit(subscriptionId: number, holder: number, records: readonly SettledRange[]): boolean {
    const held = openGroups.find(subscriptionId);
    if (held?.session === holder) held.group.settled(records);
    return holder === session.session;
  }

  function consumerOf(opening: ConsumeOpening, peer: string): Consumer {
    lastConsumerId += 1;
    const name = opening.consumer === "" ? peer : opening.consumer;
    return new Consumer({ id: lastConsumerId, name, peer, node }, opening.window, parts);
  }

  return {
    factsOf: (subscriptionId) =>
      [...(openGroups.find(subscriptionId)?.group.consumers ?? [])].map((consumer) => consumer.facts()),
    nudge: (subscriptionId) => openGroups.find(subscriptionId)?.nudge(),
    settledByCommit,
    outstandingSlots(subscriptionId, holder, asked) {
      const held = openGroups.find(subscriptionId);
      return held?.session === holder ? outstandingSlots(held.group.consumers, asked) : new Map<number, number>();
    },
    async join(opening, peer, signal) {
      const consumer = consumerOf(opening, peer);
      const membership =
        opening.kind === "subscription"
          ? await joinSubscription(openGroups, opening.subscription, consumer)
          : await joinTopic({ ...parts, closings }, { opening, consumer }, signal);
      return { membership, consumer };
    },
    async close() {
      await openGroups.close();
      await closings.settled();
      await Promise.all([notices.close(), lookups.settled(), session.close()]);
    },
  };
}
