/**
 * A group whose claims are in the database: what this node holds of a subscription, kept in step with other nodes. Once a
 * second, and when something was changed here, it says who consumes here, hears what was changed, takes what is free, and
 * gives up what is not its share.
 */

import { consumerFenced, epochMismatch, subscriptionNotFound } from "../../core/index.js";
import type { ClaimHolder, StoredSubscription, SubscriptionSync } from "../../store/index.js";
import { Watch } from "../../streams/index.js";
import type { DatabaseLanes } from "../database-lanes.js";
import type { Topic } from "../topics/topic.js";
import type { TopicLease } from "../topics/topic-cache.js";
import type { Claim } from "./records/claim.js";
import type { Consumer } from "./handing-out/consumer.js";
import { Group, type GroupParts } from "./group.js";
import type { Ledger } from "./settling/ledger.js";
import type { NodeSession } from "./node-session.js";
import { takeSettled } from "./settled-notices.js";
import { slotShare } from "./slot-share.js";

/** Free claims that are taken in one step. */
const takenAtOnce = 64;
/** How long a claim is ours and unknown before it is given back: longer than an answer is on its way. */
const strayMs = 10_000;
/** Consumers that are described to other nodes. */
const toldMost = 100;
/** How long closing tries to write what is pending. */
const patienceMs = 5000;

export interface SubscriptionGroupParts
  extends Omit<GroupParts, "topic" | "sharing" | "policy" | "isPaused" | "ledger" | "mayPark" | "onPark"> {
  readonly lanes: DatabaseLanes;
  readonly lease: TopicLease;
  readonly session: NodeSession;
}

export class SubscriptionGroup {
  readonly subscription: StoredSubscription;
  readonly group: Group;
  /** The session that all of its claims are held by. */
  readonly session: number;
  readonly #parts: SubscriptionGroupParts;
  readonly #nudged = new Watch(0);
  readonly #end = new AbortController();
  readonly #syncing: Promise<void>;
  #generation: number;
  /** Of this generation. */
  #attemptsBefore: number;
  /** EXCLUSIVE: the ticket of this node's newest consumer. */
  #ticket = 0;
  #parked: number;
  /** As of the last sync. */
  #isAlone = false;
  /** Claims that the database says are ours, and that we do not know: since when. */
  #strays: ReadonlyMap<number, number> = new Map();

  constructor(parts: SubscriptionGroupParts, subscription: StoredSubscription, parked: number) {
    const { lease, session } = parts;
    this.#parts = parts;
    this.subscription = subscription;
    this.session = session.session;
    this.#generation = subscription.generation;
    this.#attemptsBefore = subscription.attemptsBefore;
    this.#parked = parked;
    lease.topic.followers += 1;
    this.group = new Group({
      ...parts,
      topic: lease.topic,
      sharing: subscription.sharing,
      policy: subscription.policy,
      isPaused: subscription.isPaused,
      ledger: this.#ledger(),
      mayPark: (records) => this.#parked + records <= parts.limits.parkedRecords,
      onPark: (records) => {
        this.#parked += records;
      },
    });
    this.#syncing = this.#keepInStep();
  }

  /** Takes a consumer in. Of an EXCLUSIVE subscription it takes over from all others, here and elsewhere. */
  async join(consumer: Consumer): Promise<void> {
    if (this.subscription.sharing === "exclusive") {
      const { subscriptionId, name } = this.subscription;
      const ticket = await this.#parts.lanes.run("append", (store) => store.takeTicket(subscriptionId));
      if (ticket === undefined) throw subscriptionNotFound(name);
      // Two may come at once: the higher ticket stays.
      if (ticket < this.#ticket) throw consumerFenced(name);
      this.#ticket = ticket;
      this.#fence();
    }
    this.group.join(consumer);
    this.nudge();
  }

  get topic(): Topic {
    return this.#parts.lease.topic;
  }

  nudge(): void {
    this.#nudged.set(0);
  }

  /** False: its claims could not be given back; `giveBack` does. */
  async close(): Promise<boolean> {
    this.#end.abort();
    const { lease, logger, clock } = this.#parts;
    const patience = new AbortController();
    const cancelTimer = clock.startTimer(patienceMs, () => {
      patience.abort(new Error(`The group was not closed within ${patienceMs} ms`));
      // A step may wait for its writes, too.
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
    const { subscriptionId } = this.subscription;
    await this.#parts.lanes.run("append", (store) => store.leaveSubscription(subscriptionId, this.session), signal);
  }

  #ledger(): Ledger {
    const { lanes, session } = this.#parts;
    const own = session.session;
    const { subscriptionId } = this.subscription;
    const attemptsBefore = (): number => this.#attemptsBefore;
    const isAlone = (): boolean => this.#isAlone;
    return {
      session: own,
      get attemptsBefore() {
        return attemptsBefore();
      },
      get isAlone() {
        return isAlone();
      },
      get isHeld() {
        return session.session === own && session.isHeld;
      },
      settle: (write) => lanes.attempt("append", (store) => store.settle({ subscriptionId, session: own, ...write })),
      readRetryFrames: (offsets) => lanes.run("live", (store) => store.readRetryFrames(subscriptionId, offsets)),
      claimMore: async (count, fromOffset, untilOffset) => {
        const generation = this.#generation;
        const request = { subscriptionId, session: own, generation, count, fromOffset, untilOffset };
        const claimed = await lanes.run("live", (store) => store.claimBlock(request));
        // A seek that was heard of meanwhile has deleted it.
        return generation === this.#generation ? claimed : undefined;
      },
    };
  }

  /** Never throws. */
  async #keepInStep(): Promise<void> {
    const { signal } = this.#end;
    while (!signal.aborted) {
      const { version } = this.#nudged;
      try {
        await this.#sync();
      } catch (error) {
        if (!signal.aborted) {
          this.#parts.logger.warn({ err: error }, "a subscription's claims cannot be kept in step; trying again");
        }
      }
      const isLeaving = [...this.group.records.claims].some((claim) => claim.isLeaving);
      const timeoutMs = isLeaving ? Math.min(50, this.#parts.limits.headPollMs) : this.#parts.limits.headPollMs;
      await this.#nudged.changed(version, { signal, timeoutMs, timers: this.#parts.clock }).catch(() => undefined);
    }
  }

  async #sync(): Promise<void> {
    const { group, session } = this;
    const { lanes, lease } = this.#parts;
    const { subscriptionId, name } = this.subscription;
    const facts = JSON.stringify([...group.consumers].slice(0, toldMost).map((consumer) => consumer.facts()));
    const member = { session, consumers: group.consumers.staying, facts };
    const sync = await lanes.run("live", (store) => store.syncSubscription(subscriptionId, member), this.#end.signal);
    if (sync === undefined) return group.consumers.failAll(subscriptionNotFound(name));
    const { subscription } = sync;
    if (subscription.epoch !== lease.topic.epoch) {
      return group.consumers.failAll(epochMismatch(lease.topic.name, subscription.epoch, lease.topic.epoch));
    }
    group.settings.policy = subscription.policy;
    if (group.settings.isPaused !== subscription.isPaused) {
      group.settings.isPaused = subscription.isPaused;
      group.wakeAll();
    }
    if (subscription.generation !== this.#generation) {
      this.#generation = subscription.generation;
      this.#attemptsBefore = subscription.attemptsBefore;
      group.records.drop(group.records.claims);
    }
    if (subscription.ticket > this.#ticket) this.#fence();
    this.#isAlone = sync.members.every(({ session: other, consumers }) => other === session || consumers === 0);
    if (!this.#isAlone) await this.#giveFuture();
    await this.#giveUp(sync);
    await this.#takeFree(sync);
    await takeSettled(lanes, group, { subscriptionId, session }, this.#end.signal);
    await this.#releaseStrays(sync);
    await this.#endWithTopic();
    group.lookAgain();
    await group.records.writer.flush();
  }

  /** Ends this node's consumers: a newer one is there. */
  #fence(): void {
    if (this.subscription.sharing === "exclusive") this.group.evictAll(consumerFenced(this.subscription.name));
  }

  /** Gives back what is not this node's share, once no consumer has anything of it. */
  async #giveUp({ members, subscription }: SubscriptionSync): Promise<void> {
    const { group, session } = this;
    const held = [...group.records.claims].filter((claim) => claim.kind === "slot" && !claim.isLeaving);
    let surplus = 0;
    if (subscription.sharing === "keyed") {
      surplus = held.length - slotShare(members, session, group.consumers.staying);
    } else if (subscription.sharing === "exclusive" && subscription.ticket > this.#ticket) {
      surplus = held.length;
    }
    if (surplus > 0) {
      held.sort((one, other) => one.outstanding - other.outstanding);
      for (const claim of held.slice(0, surplus)) this.#retireSlot(claim.slot);
    }
    // What nobody here has room for, others may have.
    const isShut = !group.consumers.hasOpen;
    if (subscription.sharing === "shared" && isShut) this.#retireSlot(0);
    const retired = [...group.records.claims].filter((claim) => claim.isLeaving);
    // A slot goes as a whole: a redriven record that is worked on keeps its key, and so the slot's own claim.
    const busy = new Set(retired.filter(({ outstanding }) => outstanding > 0).map(placeOf));
    const leaving = retired.filter((claim) => !busy.has(placeOf(claim)));
    if (leaving.length === 0) return;
    await group.records.writer.flush();
    const done = leaving.filter((claim) => !claim.isLost && !group.records.writer.has(claim));
    if (done.length === 0) return;
    const claimIds = done.map(({ claimId }) => claimId);
    await this.#parts.lanes.run("append", (store) =>
      store.releaseClaims(subscription.subscriptionId, session, claimIds),
    );
    for (const claim of done) group.records.release(claim);
  }

  /** Frees what this node has claimed of offsets that are not published yet. */
  async #giveFuture(): Promise<void> {
    const { group, session } = this;
    const { lanes, lease } = this.#parts;
    const { subscriptionId } = this.subscription;
    for (const claim of group.records.claims) {
      const from = lease.topic.tip.value.nextOffset;
      if (claim.kind !== "block" || claim.isLeaving || claim.unread.next <= from) continue;
      // Nothing of it was read: a page that is under way ends below.
      claim.unread.delete(from, claim.unread.next);
      claim.todo.delete(from, claim.todo.next);
      try {
        if (claim.todo.isEmpty && !group.records.writer.has(claim)) {
          await lanes.run("append", (store) => store.releaseClaims(subscriptionId, session, [claim.claimId]));
          group.records.release(claim);
        } else {
          await lanes.run("append", (store) => store.splitClaim(subscriptionId, session, claim.claimId, from));
        }
      } catch (error) {
        // Whether it was split is not known: the claim is given back as one that nobody here knows.
        group.records.drop([claim]);
        throw error;
      }
    }
  }

  #retireSlot(slot: number): void {
    for (const claim of this.group.records.claims) if (claim.slot === slot) this.group.records.retire(claim);
  }

  async #takeFree(sync: SubscriptionSync): Promise<void> {
    const { group, session } = this;
    if (group.consumers.staying === 0 || this.#end.signal.aborted) return;
    const wanted = this.#wantedOf(sync).slice(0, takenAtOnce);
    if (wanted.length === 0) return;
    const { subscriptionId } = this.subscription;
    const { lanes } = this.#parts;
    const claimIds = wanted.map(({ claimId }) => claimId);
    const taken = await lanes.run("append", (store) =>
      store.takeClaims(subscriptionId, session, this.#generation, claimIds),
    );
    if (taken.length === 0) return;
    const takenIds = taken.map(({ claimId }) => claimId);
    const retries = await lanes
      .run("live", (store) => store.readRetries(subscriptionId, takenIds))
      .catch(async (error: unknown) => {
        await lanes.run("append", (store) => store.releaseClaims(subscriptionId, session, takenIds));
        throw error;
      });
    for (const claim of taken) {
      group.add(
        claim,
        retries.filter(({ claimId }) => claimId === claim.claimId),
      );
    }
    // There may be more, and redriven records of slots that were just taken.
    this.nudge();
  }

  #wantedOf({ claims, members, subscription }: SubscriptionSync): ClaimHolder[] {
    const { group, session } = this;
    const free = claims.filter((claim) => claim.session === undefined);
    if (subscription.sharing === "shared") {
      // Not whether there is room at this moment: with much to do there hardly ever is.
      const isOpen = group.consumers.hasOpen;
      return isOpen ? free.filter(({ kind }) => kind !== "rest") : [];
    }
    if (subscription.sharing === "exclusive" && subscription.ticket !== this.#ticket) return [];
    const held = [...group.records.claims].filter(({ kind }) => kind === "slot");
    const slots = new Set(held.filter(({ isLeaving }) => !isLeaving).map(({ slot }) => slot));
    const share = subscription.sharing === "exclusive" ? 1 : slotShare(members, session, group.consumers.staying);
    return [
      ...free.filter(({ kind, slot }) => kind === "redriven" && slots.has(slot)),
      ...free.filter(({ kind }) => kind === "slot").slice(0, Math.max(0, share - held.length)),
    ];
  }

  /** What a statement claimed whose answer did not arrive goes back. */
  async #releaseStrays({ claims }: SubscriptionSync): Promise<void> {
    const strays = claims
      .filter((claim) => claim.session === this.session && !this.group.records.claims.has(claim.claimId))
      .map(({ claimId }) => claimId);
    const nowMs = this.#parts.clock.monotonicMs();
    const since = new Map(strays.map((claimId) => [claimId, this.#strays.get(claimId) ?? nowMs]));
    this.#strays = since;
    // It is none that is just being taken, or that was done meanwhile.
    const old = strays.filter((claimId) => nowMs - (since.get(claimId) ?? nowMs) > strayMs);
    if (old.length === 0) return;
    const { subscriptionId } = this.subscription;
    await this.#parts.lanes.run("append", (store) => store.releaseClaims(subscriptionId, this.session, old));
  }

  /** The topic is closed, and everything is settled, on all nodes. */
  async #endWithTopic(): Promise<void> {
    const { group } = this;
    const { lease, lanes, limits } = this.#parts;
    const isClosed = lease.topic.tip.value.state === "closed" && group.isIdle;
    if (!isClosed && this.#parked < limits.parkedRecords * 0.9) return;
    await group.records.writer.flush();
    const { subscriptionId } = this.subscription;
    const progress = await lanes.run("live", (store) => store.readProgress(subscriptionId), this.#end.signal);
    if (progress === undefined) return;
    this.#parked = progress.parked;
    if (!isClosed || !progress.head.closed || progress.cursor < progress.head.nextOffset || progress.retries > 0)
      return;
    for (const consumer of group.consumers) {
      consumer.isAtEnd = true;
      consumer.wake();
    }
  }
}

/** Blocks come and go one by one, slots with all that belongs to them. */
function placeOf(claim: Claim): Claim | number {
  return claim.kind === "block" ? claim : claim.slot;
}
