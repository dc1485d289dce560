/** Subscriptions, from their creation to their deletion: what SubscriptionService does apart from deliveries. */

import {
  checkSubscriptionName,
  checkSubscriptionPrefix,
  checkTopicName,
  defaultDeliveryPolicy,
  type Start,
  subscriptionExists,
  subscriptionNotFound,
  topicNotFound,
} from "../../core/index.js";
import type { StoredSubscription, SubscriptionChange } from "../../store/index.js";
import type { Clock } from "../../telemetry/index.js";
import type { DatabaseLanes } from "../database-lanes.js";
import { resolveStart } from "../reading/start-offset.js";
import type { Subscriptions } from "../subscription-engine.js";
import type { TopicCache } from "../topic-cache.js";
import { checkPolicy } from "./check-policy.js";
import { describeSubscription } from "./describe.js";
import { findSubscription } from "../consume/find-subscription.js";
import type { ConsumerGroups } from "../consume/groups.js";
import { discardParked, getParked, listParked, redriveParked } from "./parked.js";

export interface SubscriptionsParts {
  readonly cache: TopicCache;
  readonly lanes: DatabaseLanes;
  readonly groups: ConsumerGroups;
  readonly clock: Clock;
  /** This node, as `ConsumerFacts.node` names it. */
  readonly node: string;
}

export function createSubscriptions(parts: SubscriptionsParts): Subscriptions {
  const { cache, lanes, groups } = parts;

  /** Changes a subscription that was found; it may be gone by then. Consumers of this node learn of it at once. */
  async function change(found: StoredSubscription, asked: SubscriptionChange): Promise<StoredSubscription> {
    const { subscriptionId, name } = found;
    const changed = await lanes.run("live", (store) => store.updateSubscription(subscriptionId, asked));
    groups.nudge(subscriptionId);
    if (changed === undefined) throw subscriptionNotFound(name);
    return changed;
  }

  /** Where a cursor goes: what is no longer kept is passed over. */
  async function startOf(start: Start, topic: string) {
    const { lease, stored } = await cache.acquireFresh(topic);
    try {
      const offset = await resolveStart(start, lease.topic, stored.head, lanes);
      return { stored, offset: Math.max(offset, stored.head.earliestOffset) };
    } finally {
      lease.release();
    }
  }

  return {
    async create({ name, topic, start, sharing, policy: asked, labels }) {
      checkSubscriptionName(name);
      checkTopicName(topic);
      const policy = checkPolicy(asked, defaultDeliveryPolicy);
      const { stored, offset } = await startOf(start ?? { at: "latest" }, topic);
      const { topicId, epoch } = stored.head;
      const created = await lanes.run("live", (store) =>
        store.createSubscription({ name, topicId, epoch, sharing, policy, labels, fromOffset: offset }),
      );
      if (created === "exists") throw subscriptionExists(name);
      if (created === "no-topic") throw topicNotFound(topic);
      return created;
    },
    get: (name) => findSubscription(lanes, name),
    async list({ prefix, topic, after, count }) {
      checkSubscriptionPrefix(prefix, "prefix");
      checkSubscriptionPrefix(after, "page_token");
      const only = topic === "" ? undefined : checkTopicName(topic);
      const found = await lanes.run("live", (store) =>
        store.listSubscriptions({ prefix, topic: only, after, count: count + 1 }),
      );
      return { subscriptions: found.slice(0, count), hasMore: found.length > count };
    },
    async update(name, { policy, labels }) {
      const found = await findSubscription(lanes, name);
      if (policy !== undefined) checkPolicy(policy, found.policy);
      return change(found, { ...(policy && { policy }), ...(labels && { labels }) });
    },
    async delete(name) {
      const { subscriptionId } = await findSubscription(lanes, name);
      const isDeleted = await lanes.run("live", (store) => store.deleteSubscription(subscriptionId));
      groups.nudge(subscriptionId);
      if (!isDeleted) throw subscriptionNotFound(name);
    },
    async setPaused(name, isPaused) {
      return change(await findSubscription(lanes, name), { isPaused });
    },
    async seek(name, start) {
      const { subscriptionId, topic } = await findSubscription(lanes, name);
      const { stored, offset } = await startOf(start, topic);
      const { epoch } = stored.head;
      const sought = await lanes.run("live", (store) => store.seekSubscription({ subscriptionId, epoch, offset }));
      groups.nudge(subscriptionId);
      if (sought === undefined) throw subscriptionNotFound(name);
      return { subscription: sought, cursor: { epoch, offset } };
    },
    describe: (command, stream, signal) => describeSubscription(parts, command, stream, signal),
    listParked: (request) => listParked(parts, request),
    getParked: (name, offset) => getParked(parts, name, offset),
    redriveParked: (selection, ratePerSecond, signal) => redriveParked(parts, selection, ratePerSecond, signal),
    discardParked: (selection, signal) => discardParked(parts, selection, signal),
  };
}
