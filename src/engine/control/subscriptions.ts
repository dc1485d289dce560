/** The control methods of SubscriptionService: subscriptions from their creation to their deletion. */

import {
  checkSubscriptionName,
  checkSubscriptionPrefix,
  checkTopicName,
  defaultDeliveryPolicy,
  type Start,
  subscriptionExists,
  subscriptionNotFound,
  topicNotFound,
  type Position,
  type DeliveryPolicy,
  type Sharing,
} from "../../core/index.js";
import type { StoredSubscription, SubscriptionChange, StoredParked } from "../../store/index.js";
import type { Clock, LiveStream } from "../../telemetry/index.js";
import type { DatabaseLanes } from "../database-lanes.js";
import { resolveStart } from "../reading/start-offset.js";
import type { TopicCache } from "../topics/topic-cache.js";
import { checkPolicy } from "./check-policy.js";
import { describeSubscription, type SubscriptionReport } from "./describe-subscription.js";
import { findSubscription } from "../consume/find-subscription.js";
import type { ConsumerGroups } from "../consume/groups.js";
import { discardParked, getParked, listParked, redriveParked, type ParkedSelection } from "./parked.js";
import type { Filter } from "../../filter/index.js";

export interface CreateSubscriptionCommand {
  readonly name: string;
  readonly topic: string;
  /** Undefined: `latest`. */
  readonly start: Start | undefined;
  readonly sharing: Sharing;
  /** Absent fields get their defaults. Checked against `deliveryBounds`. */
  readonly policy: Partial<DeliveryPolicy>;
  readonly labels: ReadonlyMap<string, string>;
}

/** What an update changes. Absent fields stay. */
export interface SubscriptionUpdate {
  readonly policy?: Partial<DeliveryPolicy>;
  readonly labels?: ReadonlyMap<string, string>;
}

/** Subscriptions, from their creation to their deletion. Checks names (`invalid-argument`). */
export interface Subscriptions {
  /** Errors: `topic-not-found`, `subscription-exists`, `epoch-mismatch`, `offset-out-of-range`. */
  create(command: CreateSubscriptionCommand): Promise<StoredSubscription>;
  /** Errors of this and the following: `subscription-not-found`. */
  get(name: string): Promise<StoredSubscription>;
  /** By name, up to `count`, and whether more follow. `after` is exclusive. `topic` empty: of all topics. */
  list(request: {
    readonly prefix: string;
    readonly topic: string;
    readonly after: string;
    readonly count: number;
  }): Promise<{ readonly subscriptions: readonly StoredSubscription[]; readonly hasMore: boolean }>;
  update(name: string, change: SubscriptionUpdate): Promise<StoredSubscription>;
  delete(name: string): Promise<void>;
  setPaused(name: string, isPaused: boolean): Promise<StoredSubscription>;
  /** Errors: `epoch-mismatch`; `offset-out-of-range` above the next offset. */
  seek(name: string, start: Start): Promise<{ readonly subscription: StoredSubscription; readonly cursor: Position }>;
  /** Gives a report at once and then every `intervalMs`. `limit` 0: no limit. */
  describe(
    command: { readonly name: string; readonly intervalMs: number; readonly limit: number },
    stream: LiveStream,
    signal: AbortSignal,
  ): AsyncGenerator<SubscriptionReport, void, undefined>;
  /** Up to `count` matching records from offset `from` on. `next` undefined: none is left. */
  listParked(request: {
    readonly subscription: string;
    readonly filter: Filter | undefined;
    readonly from: number;
    readonly count: number;
  }): Promise<{ readonly records: readonly StoredParked[]; readonly next: number | undefined }>;
  /** Errors: `parked-not-found`. */
  getParked(name: string, offset: number): Promise<StoredParked>;
  /** Returns how many were redriven. `ratePerSecond` 0: all at once. */
  redriveParked(selection: ParkedSelection, ratePerSecond: number, signal: AbortSignal): Promise<number>;
  discardParked(selection: ParkedSelection, signal: AbortSignal): Promise<number>;
}

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

  /** Changes a subscription that was found and may be deleted by now. Consumers of this node learn of it at once. */
  async function change(found: StoredSubscription, asked: SubscriptionChange): Promise<StoredSubscription> {
    const { subscriptionId, name } = found;
    const changed = await lanes.run("live", (store) => store.updateSubscription(subscriptionId, asked));
    groups.nudge(subscriptionId);
    if (changed === undefined) throw subscriptionNotFound(name);
    return changed;
  }

  /** The offset of a new cursor. Records that are no longer kept are passed over. */
  async function startOf(start: Start, topic: string) {
    const { lease, stored } = await cache.acquireFresh(topic);
    try {
      const offset = await resolveStart(start, { topic: lease.topic, head: stored.head, lanes });
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
      const sought = await lanes.run("live", (store) => store.seekSubscription(subscriptionId, epoch, offset));
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
