/**
 * The groups of subscriptions that are open on this node, one each. A group opens with its first user and closes with its
 * last; the next user waits for that, and opens another. The node's session and its notices are open while a group is.
 */

import { epochMismatch, type Limits, MillraceError, subscriptionNotFound } from "../../core/index.js";
import { backoff, sleep, trackTasks } from "../../streams/index.js";
import type { DatabaseLanes } from "../database-lanes.js";
import type { TopicCache } from "../topics/topic-cache.js";
import { findSubscription } from "./find-subscription.js";
import type { NodeSession } from "./node-session.js";
import type { SettledNotices } from "./settled-notices.js";
import { SubscriptionGroup, type SubscriptionGroupParts } from "./subscription-group.js";

export interface OpenGroupsParts extends Omit<SubscriptionGroupParts, "lease"> {
  readonly cache: TopicCache;
  readonly lanes: DatabaseLanes;
  readonly limits: Limits;
  readonly session: NodeSession;
  readonly notices: SettledNotices;
}

/** A user's hold on a group. */
export interface GroupUse {
  readonly held: SubscriptionGroup;
  /** Where the subscription stood when the user came. */
  readonly cursor: number;
  /** Whether the group is open, and its consumers are not ended. */
  readonly isOpen: boolean;
  /** To be called once. */
  release(): void;
}

interface Opened {
  readonly held: SubscriptionGroup;
  readonly cursor: number;
}

interface Entry {
  readonly opened: Promise<Opened>;
  held: SubscriptionGroup | undefined;
  users: number;
  /** Set: the group closes, and the next user waits for it. */
  closing: Promise<void> | undefined;
}

export class OpenGroups {
  readonly #parts: OpenGroupsParts;
  readonly #entries = new Map<number, Entry>();
  /** Closed groups that could not give their claims back yet. */
  readonly #left = trackTasks((error) => this.#logUnclosed(error));
  readonly #end = new AbortController();
  #isClosed = false;

  constructor(parts: OpenGroupsParts) {
    this.#parts = parts;
  }

  find(subscriptionId: number): SubscriptionGroup | undefined {
    return this.#entries.get(subscriptionId)?.held;
  }

  *[Symbol.iterator](): Generator<SubscriptionGroup, void> {
    for (const { held } of this.#entries.values()) if (held !== undefined) yield held;
  }

  /**
   * Finds or opens the group of a subscription. Errors: `invalid-argument`, `subscription-not-found`, `epoch-mismatch`,
   * `consumer-limit`, `draining`, `database-unavailable`.
   */
  async acquire(name: string): Promise<GroupUse> {
    for (;;) {
      const { subscriptionId } = await findSubscription(this.#parts.lanes, name);
      if (this.#isClosed) throw new MillraceError("draining", "The node is closing");
      const known = this.#entries.get(subscriptionId);
      if (known?.held?.group.consumers.isOver === true) this.#close(subscriptionId, known);
      if (known?.closing !== undefined) {
        await known.closing;
        continue;
      }
      const opened = known?.opened ?? this.#open(name, subscriptionId);
      const entry = known ?? { opened, held: undefined, users: 0, closing: undefined };
      this.#entries.set(subscriptionId, entry);
      entry.users += 1;
      try {
        const { held, cursor } = await entry.opened;
        entry.held = held;
        this.#checkRoom(held);
        return {
          held,
          cursor: known === undefined ? cursor : Math.max(cursor, held.group.cursor),
          get isOpen() {
            return !held.group.consumers.isOver && entry.closing === undefined;
          },
          release: () => this.#release(subscriptionId, entry),
        };
      } catch (error) {
        this.#release(subscriptionId, entry);
        throw error;
      }
    }
  }

  /** The session was ended by another node: ends all groups, since a consumer that joins now needs one of the next session. */
  loseAll(): void {
    const error = new MillraceError(
      "database-unavailable",
      "This node did not answer for so long that its hold on the subscription ended (MILLRACE_SESSION_LEASE_MS). Consume again",
      { retryDelayMs: 100 },
    );
    for (const held of this) held.group.consumers.failAll(error);
    for (const [subscriptionId, entry] of this.#entries) this.#close(subscriptionId, entry);
  }

  /** Closes all groups, also those with users. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const [subscriptionId, entry] of this.#entries) this.#close(subscriptionId, entry);
    for (const { closing } of this.#entries.values()) await closing;
    this.#end.abort();
    await this.#left.settled();
  }

  async #open(name: string, subscriptionId: number): Promise<Opened> {
    const { session, notices, lanes, cache } = this.#parts;
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
    const held = new SubscriptionGroup({ ...this.#parts, lease }, subscription, progress.parked);
    return { held, cursor: progress.cursor };
  }

  #checkRoom({ subscription, group }: SubscriptionGroup): void {
    const { consumersPerSubscription: consumersMax } = this.#parts.limits;
    // The consumer that takes an EXCLUSIVE subscription over ends the others.
    if (subscription.sharing === "exclusive" || group.consumers.size < consumersMax) return;
    const { name } = subscription;
    throw new MillraceError(
      "consumer-limit",
      `Subscription "${name}" has ${consumersMax} consumers on this node already (MILLRACE_CONSUMERS_PER_SUBSCRIPTION)`,
      { metadata: { subscription: name, limit: String(consumersMax) }, retryDelayMs: 1000 },
    );
  }

  #release(subscriptionId: number, entry: Entry): void {
    entry.users -= 1;
    if (entry.users <= 0) this.#close(subscriptionId, entry);
  }

  #close(subscriptionId: number, entry: Entry): void {
    if (entry.closing !== undefined) return;
    entry.closing = entry.opened
      .then(
        async ({ held }) => ((await held.close()) ? undefined : held),
        () => undefined,
      )
      .catch((error: unknown) => {
        this.#logUnclosed(error);
        return undefined;
      })
      .then((left) => {
        this.#entries.delete(subscriptionId);
        if (left !== undefined) this.#left.track(this.#giveBack(left));
      })
      .then(async () => {
        if (this.#entries.size > 0) return;
        await Promise.all([this.#parts.notices.close(), this.#parts.session.close()]);
      });
  }

  /** Otherwise the claims of a closed group would stay with this node as long as it consumes anything. */
  async #giveBack(held: SubscriptionGroup): Promise<void> {
    const { limits, clock, session } = this.#parts;
    const { subscriptionId } = held.subscription;
    const { signal } = this.#end;
    const waits = backoff({ minMs: 100, maxMs: limits.sessionLeaseMs });
    for (;;) {
      await sleep(waits.next(), clock, signal).catch(() => undefined);
      const entry = this.#entries.get(subscriptionId);
      // All that the session held is free when it has ended; and another group of this node finds the claims as strays.
      if (signal.aborted || session.session !== held.session || entry?.held !== undefined) return;
      // A group that is being opened may have taken some of them already.
      if (entry !== undefined) continue;
      try {
        return await held.giveBack(signal);
      } catch {
        // It was logged when the group closed.
      }
    }
  }

  #logUnclosed(error: unknown): void {
    this.#parts.logger.error({ err: error }, "a group of consumers did not close");
  }
}
