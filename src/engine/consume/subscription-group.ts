/**
 * The group of a subscription on this node, kept in step with other nodes. Once a second, and when the subscription was changed
 * on this node, it tells the others who consumes here, takes over what was changed, gives up claims that are not its share,
 * and takes free ones.
 */

import { consumerFenced, epochMismatch, subscriptionNotFound } from "../../core/index.js";
import type { StoredSubscription, SubscriptionSync } from "../../store/index.js";
import { Watch } from "../../streams/index.js";
import type { DatabaseLanes } from "../database-lanes.js";
import type { TopicLease } from "../topics/topic-cache.js";
import type { Topic } from "../topics/topic.js";
import { ClaimExchange } from "./claim-exchange.js";
import { Group, type GroupParts } from "./group/group.js";
import type { Consumer } from "./handing-out/consumer.js";
import type { NodeSession } from "./node-session.js";
import { SubscriptionLedger } from "./subscription-ledger.js";

/** How many consumers are described to other nodes. */
const describedConsumersMax = 100;
/** How long closing waits for pending writes. */
const patienceMs = 5000;
/** How often it is checked whether claims that are leaving can be given back. */
const leavingPollMs = 50;
/** From this part of their bound on, the database is asked how many records are parked. */
const parkedPart = 0.9;

export interface SubscriptionGroupParts
  extends Omit<GroupParts, "topic" | "sharing" | "policy" | "isPaused" | "ledger" | "mayPark" | "onPark" | "onGrown"> {
  readonly lanes: DatabaseLanes;
  readonly lease: TopicLease;
  readonly session: NodeSession;
}

export class SubscriptionGroup {
  readonly subscription: StoredSubscription;
  readonly group: Group;
  readonly #parts: SubscriptionGroupParts;
  readonly #ledger: SubscriptionLedger;
  readonly #exchange: ClaimExchange;
  readonly #nudged = new Watch(0);
  readonly #end = new AbortController();
  readonly #syncing: Promise<void>;
  /** EXCLUSIVE: the ticket of this node's newest consumer. */
  #ticket = 0;
  /** How many records are parked, on all nodes, as far as this one knows. */
  #parked: number;

  constructor(parts: SubscriptionGroupParts, subscription: StoredSubscription, parked: number) {
    const { topic } = parts.lease;
    const { sharing, policy, isPaused } = subscription;
    this.#parts = parts;
    this.subscription = subscription;
    this.#parked = parked;
    topic.followers += 1;
    const ledger = new SubscriptionLedger(parts, subscription);
    this.#ledger = ledger;
    this.group = new Group({
      ...parts,
      topic,
      sharing,
      policy,
      isPaused,
      ledger,
      mayPark: (records) => this.#parked + records <= parts.limits.parkedRecords,
      onPark: (records) => {
        this.#parked += records;
      },
      onGrown: () => {
        if (this.#exchange.isPublished) this.nudge();
      },
    });
    this.#exchange = new ClaimExchange({ ...parts, topic, ledger, group: this.group });
    this.#syncing = this.#keepInStep();
  }

  /** It holds all claims of the group. */
  get session(): number {
    return this.#ledger.session;
  }

  get topic(): Topic {
    return this.#parts.lease.topic;
  }

  /** Takes a consumer in. In EXCLUSIVE it takes over from all other consumers, on every node. */
  async join(consumer: Consumer): Promise<void> {
    if (this.subscription.sharing === "exclusive") {
      const { subscriptionId, name } = this.subscription;
      const ticket = await this.#parts.lanes.run("append", (store) => store.takeTicket(subscriptionId));
      if (ticket === undefined) throw subscriptionNotFound(name);
      // Two consumers may come at once: the one with the higher ticket stays.
      if (ticket < this.#ticket) throw consumerFenced(name);
      this.#ticket = ticket;
      this.#fence();
    }
    this.group.join(consumer);
    this.nudge();
  }

  /** Gets in step at once. */
  nudge(): void {
    this.#nudged.set(0);
  }

  /** Asks the claims which outstanding records somebody else settled, and takes those off their consumers. */
  async takeSettled(signal?: AbortSignal): Promise<void> {
    const { group } = this;
    const claims = group.outstanding();
    if (claims.length === 0) return;
    const { subscriptionId, session } = this.#ledger;
    const find = this.#parts.lanes.run(
      "live",
      (store) => store.findSettled({ subscriptionId, session, claims }),
      signal,
    );
    for (const { claimId, ranges } of await find) group.settledOf(claimId, ranges);
  }

  /** False: its claims could not be given back; `giveBack` does. */
  async close(): Promise<boolean> {
    this.#end.abort();
    const { lease, logger, clock } = this.#parts;
    const patience = new AbortController();
    const cancelTimer = clock.startTimer(patienceMs, () => {
      patience.abort(new Error(`The group was not closed within ${patienceMs} ms`));
      // A step that is under way may also wait for writes.
      this.group.records.writer.giveUp();
    });
    await this.#syncing;
    await this.group.close(patience.signal);
    try {
      await this.giveBack(patience.signal);
      return true;
    } catch (error) {
      logger.warn({ err: error }, "cannot give a subscription's claims back yet");
      return false;
    } finally {
      cancelTimer();
      lease.topic.followers -= 1;
      lease.release();
    }
  }

  /** Gives back all that the session holds of the subscription. */
  async giveBack(signal: AbortSignal): Promise<void> {
    const { subscriptionId, session } = this.#ledger;
    await this.#parts.lanes.run("append", (store) => store.leaveSubscription(subscriptionId, session), signal);
  }

  /** Never throws. */
  async #keepInStep(): Promise<void> {
    const { signal } = this.#end;
    const { logger, limits, clock } = this.#parts;
    while (!signal.aborted) {
      const { version } = this.#nudged;
      try {
        await this.#sync();
      } catch (error) {
        if (!signal.aborted) {
          logger.warn({ err: error }, "a subscription's claims cannot be kept in step; trying again");
        }
      }
      const isLeaving = [...this.group.records.claims].some((claim) => claim.isLeaving);
      const timeoutMs = isLeaving ? Math.min(leavingPollMs, limits.headPollMs) : limits.headPollMs;
      await this.#nudged.changed(version, { signal, timeoutMs, timers: clock }).catch(() => undefined);
    }
  }

  async #sync(): Promise<void> {
    const { group } = this;
    const { signal } = this.#end;
    const sync = await this.#readSync();
    if (sync === undefined || !this.#takeChanges(sync)) return;
    if (!this.#ledger.isAlone) await this.#exchange.giveFuture();
    await this.#exchange.giveUp(sync, this.#ticket);
    // There may be more free claims, and redriven records of the slots that were just taken.
    if (!signal.aborted && (await this.#exchange.takeFree(sync, this.#ticket))) this.nudge();
    await this.takeSettled(signal);
    await this.#exchange.releaseStrays(sync);
    await this.#endWithTopic();
    group.lookAgain();
    await group.records.writer.flush();
  }

  /** Tells other nodes who consumes here, and asks how the subscription stands; undefined: it is gone. */
  async #readSync(): Promise<SubscriptionSync | undefined> {
    const { consumers } = this.group;
    const { subscriptionId, session } = this.#ledger;
    const facts = JSON.stringify([...consumers].slice(0, describedConsumersMax).map((consumer) => consumer.facts()));
    const member = { session, consumers: consumers.staying, facts };
    const { lanes } = this.#parts;
    const sync = await lanes.run("live", (store) => store.syncSubscription(subscriptionId, member), this.#end.signal);
    if (sync === undefined) consumers.failAll(subscriptionNotFound(this.subscription.name));
    return sync;
  }

  /** Takes over what was changed of the subscription; false: its consumers are ended. */
  #takeChanges({ subscription, members }: SubscriptionSync): boolean {
    const { group, topic, session } = this;
    const ledger = this.#ledger;
    if (subscription.epoch !== topic.epoch) {
      group.consumers.failAll(epochMismatch(topic.name, subscription.epoch, topic.epoch));
      return false;
    }
    group.settings.policy = subscription.policy;
    if (group.settings.isPaused !== subscription.isPaused) {
      group.settings.isPaused = subscription.isPaused;
      group.wakeAll();
    }
    if (subscription.generation !== ledger.generation) {
      ledger.generation = subscription.generation;
      ledger.attemptsBefore = subscription.attemptsBefore;
      group.records.drop(group.records.claims);
    }
    if (subscription.ticket > this.#ticket) this.#fence();
    ledger.isAlone = members.every(({ session: other, consumers }) => other === session || consumers === 0);
    return true;
  }

  /** EXCLUSIVE: ends the consumers of this node, since there is a newer one. */
  #fence(): void {
    if (this.subscription.sharing === "exclusive") this.group.evictAll(consumerFenced(this.subscription.name));
  }

  /** Ends consumers when the topic is closed and everything is settled, on all nodes. */
  async #endWithTopic(): Promise<void> {
    const { group, topic } = this;
    const { lanes, limits } = this.#parts;
    const isClosed = topic.tip.value.state === "closed" && group.isIdle;
    if (!isClosed && this.#parked < limits.parkedRecords * parkedPart) return;
    await group.records.writer.flush();
    const { subscriptionId } = this.subscription;
    const progress = await lanes.run("live", (store) => store.readProgress(subscriptionId), this.#end.signal);
    if (progress === undefined) return;
    this.#parked = progress.parked;
    const isSettled = progress.cursor >= progress.head.nextOffset && progress.retries === 0;
    if (!isClosed || !progress.head.closed || !isSettled) return;
    for (const consumer of group.consumers) {
      consumer.isAtEnd = true;
      consumer.wake();
    }
  }
}
