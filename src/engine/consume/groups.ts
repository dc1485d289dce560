/** The subscriptions that are consumed on this node: one group each, while it has consumers. */

import {
  epochMismatch,
  type Limits,
  MillraceError,
  type Position,
  type Sharing,
  subscriptionNotFound,
} from "../../core/index.js";
import type { SettledRange, Store } from "../../store/index.js";
import { backoff, sleep, trackTasks } from "../../streams/index.js";
import type { Logger } from "../../telemetry/index.js";
import type { DatabaseLanes } from "../database-lanes.js";
import { resolveStart } from "../reading/start-offset.js";
import type { ConsumeOpening, ConsumerFacts, DeliveredRange } from "./handing-out/consume-messages.js";
import type { TopicCache } from "../topics/topic-cache.js";
import type { Topic } from "../topics/topic.js";
import { Consumer } from "./handing-out/consumer.js";
import { createEphemeralGroup, type EphemeralGroupParts } from "./ephemeral-group.js";
import { findSubscription } from "./find-subscription.js";
import type { Group } from "./group.js";
import { createNodeSession } from "./node-session.js";
import { outstandingSlots } from "./outstanding-records.js";
import { createSettledNotices, takeSettled } from "./settled-notices.js";
import { SubscriptionGroup } from "./subscription-group.js";

/** What the rest of the engine may ask of groups. */
export interface ConsumerGroups {
  /** Those who consume a subscription on this node, as they are now. */
  factsOf(subscriptionId: number): readonly ConsumerFacts[];
  /** Something of a subscription was changed here (paused, sought, redriven, deleted, …): its group looks at once. */
  nudge(subscriptionId: number): void;
  /**
   * A Commit settled these records, which a session delivered: they are taken off their consumers. False: it is another
   * node's session, which has to be told.
   */
  settledByCommit(subscriptionId: number, session: number, records: readonly SettledRange[]): boolean;
  /** The slots of the keys of those of these records that a session of this node has delivered and not settled. */
  outstandingSlots(subscriptionId: number, session: number, asked: readonly DeliveredRange[]): Map<number, number>;
}

/** A consumer's place in its group. */
export interface Membership {
  readonly group: Group;
  readonly topic: Topic;
  readonly sharing: Sharing;
  readonly session: number;
  /** Where it stood when the consumer came. */
  readonly cursor: Position;
  /** The node drains: the consumer is handed nothing more. */
  drain(): void;
  /** Every call after the first does nothing. `wasLost`: as of `Group.leave`. */
  leave(wasLost: boolean): void;
}

export interface JoinableGroups extends ConsumerGroups {
  /** Finds or begins the group of an opening, and makes a consumer of it. */
  join(
    opening: ConsumeOpening,
    peer: string,
    signal: AbortSignal,
  ): Promise<{ readonly membership: Membership; readonly consumer: Consumer }>;
  /** Closes groups, also those with consumers, and ends the node's hold. */
  close(): Promise<void>;
}

export interface ConsumerGroupsParts extends EphemeralGroupParts {
  readonly cache: TopicCache;
  readonly lanes: DatabaseLanes;
  readonly store: Pick<Store, "listenSettled">;
  readonly limits: Limits;
  readonly logger: Logger;
  /** As Describe names this node. */
  readonly node: string;
  /** As of `NodeSessionParts`. */
  readonly newSession: (() => number) | undefined;
}

interface Entry {
  readonly opened: Promise<{ readonly held: SubscriptionGroup; readonly cursor: number }>;
  group: SubscriptionGroup | undefined;
  users: number;
  /** Set: it closes, and the next one waits for it. */
  closing: Promise<void> | undefined;
}

export function createConsumerGroups(parts: ConsumerGroupsParts): JoinableGroups {
  const { lanes, cache, limits, logger, clock, node } = parts;
  const entries = new Map<number, Entry>();
  /** Ephemeral groups that close, a moment each; and what others could not give back yet. */
  const closings = trackTasks((error) => logger.error({ err: error }, "a group of consumers did not close"));
  const end = new AbortController();
  let lastConsumerId = 0;
  let isClosed = false;
  const session = createNodeSession({ ...parts, onLost: loseAll });
  const looking = trackTasks((error) => logger.warn({ err: error }, "cannot look for what other nodes settled"));
  /** True: to be looked at once more. */
  const looks = new Map<SubscriptionGroup, boolean>();
  const notices = createSettledNotices({
    ...parts,
    handlers: {
      onNotice({ subscriptionId, session: holder, records }) {
        if (records !== undefined) settledByCommit(subscriptionId, holder, records);
        else if (holder === session.session) look(entries.get(subscriptionId)?.group);
      },
      onGap() {
        for (const { group } of entries.values()) look(group);
      },
    },
  });

  function settledByCommit(subscriptionId: number, holder: number, records: readonly SettledRange[]): boolean {
    const held = entries.get(subscriptionId)?.group;
    if (held?.session === holder) held.group.settled(records);
    return holder === session.session;
  }

  /** One look at a group at a time, and one more if there was reason to meanwhile. */
  function look(held: SubscriptionGroup | undefined): void {
    if (held === undefined) return;
    const isLooking = looks.has(held);
    looks.set(held, isLooking);
    if (isLooking) return;
    const holder = { subscriptionId: held.subscription.subscriptionId, session: held.session };
    looking.track(
      takeSettled(lanes, held.group, holder).finally(() => {
        const isAgain = looks.get(held) === true;
        looks.delete(held);
        if (isAgain) look(held);
      }),
    );
  }

  function loseAll(): void {
    const error = new MillraceError(
      "database-unavailable",
      "This node did not answer for so long that its hold on the subscription ended (MILLRACE_SESSION_LEASE_MS). Consume again",
      { retryDelayMs: 100 },
    );
    for (const { group } of entries.values()) group?.group.consumers.failAll(error);
    // A consumer that joins now needs a group of the next session.
    for (const [subscriptionId, entry] of entries) close(subscriptionId, entry);
  }

  function consumerOf(opening: ConsumeOpening, peer: string): Consumer {
    lastConsumerId += 1;
    const name = opening.consumer === "" ? peer : opening.consumer;
    return new Consumer({ id: lastConsumerId, name, peer, node }, opening.window, parts);
  }

  async function open(name: string, subscriptionId: number): Promise<{ held: SubscriptionGroup; cursor: number }> {
    await session.open();
    notices.open();
    const progress = await lanes.run("live", (store) => store.readProgress(subscriptionId));
    if (progress === undefined) throw subscriptionNotFound(name);
    const { subscription } = progress;
    const { lease } = await cache.acquireFresh(subscription.topic);
    if (subscription.epoch !== lease.topic.epoch) {
      const { topic } = lease;
      lease.release();
      throw epochMismatch(topic.name, subscription.epoch, topic.epoch);
    }
    if (!session.isHeld) {
      lease.release();
      throw new MillraceError("database-unavailable", "This node has no hold on subscriptions now", {
        retryDelayMs: 100,
      });
    }
    const held = new SubscriptionGroup({ ...parts, lease, session }, subscription, progress.parked);
    return { held, cursor: progress.cursor };
  }

  async function acquire(name: string): Promise<{ entry: Entry; held: SubscriptionGroup; cursor: number }> {
    for (;;) {
      const { subscriptionId } = await findSubscription(lanes, name);
      if (isClosed) throw new MillraceError("draining", "The node is closing");
      const known = entries.get(subscriptionId);
      if (known?.group?.group.consumers.isOver === true) close(subscriptionId, known);
      if (known?.closing !== undefined) {
        await known.closing;
        continue;
      }
      const entry = known ?? { opened: open(name, subscriptionId), group: undefined, users: 0, closing: undefined };
      entries.set(subscriptionId, entry);
      entry.users += 1;
      try {
        const { held, cursor } = await entry.opened;
        entry.group = held;
        // Who takes an EXCLUSIVE subscription over ends the others.
        const isFull = held.group.consumers.size >= limits.consumersPerSubscription;
        if (isFull && held.subscription.sharing !== "exclusive") throw tooMany(name);
        return { entry, held, cursor: known === undefined ? cursor : Math.max(cursor, held.group.cursor) };
      } catch (error) {
        release(subscriptionId, entry);
        throw error;
      }
    }
  }

  function release(subscriptionId: number, entry: Entry): void {
    entry.users -= 1;
    if (entry.users > 0) return;
    close(subscriptionId, entry);
  }

  function close(subscriptionId: number, entry: Entry): void {
    if (entry.closing !== undefined) return;
    entry.closing = entry.opened
      .then(
        async ({ held }) => ((await held.close()) ? undefined : held),
        () => undefined,
      )
      .catch((error: unknown) => {
        logger.error({ err: error }, "a group of consumers did not close");
        return undefined;
      })
      .then((left) => {
        entries.delete(subscriptionId);
        if (left !== undefined) closings.track(giveBack(left));
      })
      .then(async () => {
        if (entries.size > 0) return;
        await Promise.all([notices.close(), session.close()]);
      });
  }

  /** What a closed group could not give back would stay with this node for as long as it consumes anything. */
  async function giveBack(held: SubscriptionGroup): Promise<void> {
    const { subscriptionId } = held.subscription;
    const waits = backoff({ minMs: 100, maxMs: limits.sessionLeaseMs });
    for (;;) {
      await sleep(waits.next(), clock, end.signal).catch(() => undefined);
      const entry = entries.get(subscriptionId);
      // The session has ended, and all that it held is free; or another group of this node finds it among its strays.
      if (end.signal.aborted || session.session !== held.session || entry?.group !== undefined) return;
      // One that is being opened may have taken some of it already.
      if (entry !== undefined) continue;
      try {
        return await held.giveBack(end.signal);
      } catch {
        // It was logged when the group closed.
      }
    }
  }

  function tooMany(name: string): MillraceError {
    const most = limits.consumersPerSubscription;
    return new MillraceError(
      "consumer-limit",
      `Subscription "${name}" has ${most} consumers on this node already (MILLRACE_CONSUMERS_PER_SUBSCRIPTION)`,
      { metadata: { subscription: name, limit: String(most) }, retryDelayMs: 1000 },
    );
  }

  async function joinSubscription(opening: ConsumeOpening & { kind: "subscription" }, consumer: Consumer) {
    for (;;) {
      const { entry, held, cursor } = await acquire(opening.subscription);
      const { subscriptionId, sharing, epoch } = held.subscription;
      const leave = once((wasLost: boolean) => {
        held.group.leave(consumer, wasLost);
        release(subscriptionId, entry);
      });
      try {
        await held.join(consumer);
      } catch (error) {
        leave(false);
        throw error;
      }
      const { group, topic, session: own } = held;
      if (!group.consumers.isOver && entry.closing === undefined) {
        const drain = () => {
          group.drain(consumer);
          held.nudge();
        };
        return { group, topic, sharing, session: own, cursor: { epoch, offset: cursor }, drain, leave };
      }
      // It ended while the consumer waited to be let in: nobody would tell it.
      leave(false);
    }
  }

  async function joinTopic(
    opening: ConsumeOpening & { kind: "ephemeral" },
    consumer: Consumer,
    signal: AbortSignal,
  ): Promise<Membership> {
    const { lease, stored } = await cache.acquireFresh(opening.topic, signal);
    try {
      const { topic } = lease;
      const from = await resolveStart(opening.start ?? { at: "latest" }, topic, stored.head, lanes, signal);
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

  return {
    factsOf: (subscriptionId) =>
      [...(entries.get(subscriptionId)?.group?.group.consumers ?? [])].map((consumer) => consumer.facts()),
    nudge: (subscriptionId) => entries.get(subscriptionId)?.group?.nudge(),
    settledByCommit,
    outstandingSlots(subscriptionId, holder, asked) {
      const held = entries.get(subscriptionId)?.group;
      return held?.session === holder ? outstandingSlots(held.group.consumers, asked) : new Map<number, number>();
    },
    async join(opening, peer, signal) {
      const consumer = consumerOf(opening, peer);
      const membership =
        opening.kind === "subscription"
          ? await joinSubscription(opening, consumer)
          : await joinTopic(opening, consumer, signal);
      return { membership, consumer };
    },
    async close() {
      isClosed = true;
      for (const [subscriptionId, entry] of entries) close(subscriptionId, entry);
      for (const { closing } of entries.values()) await closing;
      end.abort();
      await closings.settled();
      await Promise.all([notices.close(), looking.settled(), session.close()]);
    },
  };
}

function once(work: (wasLost: boolean) => void): (wasLost: boolean) => void {
  let isDone = false;
  return (wasLost) => {
    if (isDone) return;
    isDone = true;
    work(wasLost);
  };
}
