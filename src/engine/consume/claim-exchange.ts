/**
 * How the nodes of a subscription exchange claims: a node gives up those that are not its share, once its consumers are done
 * with them, and takes those that are free. It decides on one look at all claims of the subscription (`sync`).
 */

import type { ClaimHolder, SubscriptionSync } from "../../store/index.js";
import type { Clock } from "../../telemetry/index.js";
import type { DatabaseLanes } from "../database-lanes.js";
import type { Topic } from "../topics/topic.js";
import type { Group } from "./group/group.js";
import type { Claim } from "./records/claim.js";
import { slotShare } from "./slot-share.js";
import type { SubscriptionLedger } from "./subscription-ledger.js";

/** How many free claims are taken in one step. */
const takenClaimsMax = 64;
/** How long a stray is left alone: longer than an answer of the database is on its way. */
const strayMs = 10_000;

export interface ClaimExchangeParts {
  readonly group: Group;
  readonly topic: Topic;
  readonly ledger: SubscriptionLedger;
  readonly lanes: DatabaseLanes;
  readonly clock: Clock;
}

export class ClaimExchange {
  readonly #parts: ClaimExchangeParts;
  /** Strays, claims that are this node's by the database and unknown here: since when, by the monotonic clock. */
  #strays: ReadonlyMap<number, number> = new Map();
  /** The lowest offset of the free blocks that are left until it is published. */
  #unpublishedFrom = Number.POSITIVE_INFINITY;

  constructor(parts: ClaimExchangeParts) {
    this.#parts = parts;
  }

  /** Gives back claims that are not this node's share, once no consumer has records of them. `ticket`: its newest consumer's. */
  async giveUp(sync: SubscriptionSync, ticket: number): Promise<void> {
    const { records } = this.#parts.group;
    this.#retireSurplus(sync, ticket);
    const retired = [...records.claims].filter((claim) => claim.isLeaving);
    // A slot is given back as a whole: while a redriven record is worked on, its key stays, and so does the slot's own claim.
    const busy = new Set(retired.filter(({ outstanding }) => outstanding > 0).map(placeOf));
    const leaving = retired.filter((claim) => !busy.has(placeOf(claim)));
    if (leaving.length === 0) return;
    await records.writer.flush();
    const done = leaving.filter((claim) => !claim.isLost && !records.writer.has(claim));
    if (done.length === 0) return;
    await this.#release(done.map(({ claimId }) => claimId));
    for (const claim of done) records.release(claim);
  }

  /** Gives back offsets that are not published yet. */
  async giveFuture(): Promise<void> {
    const { group, topic, lanes, ledger } = this.#parts;
    const { subscriptionId, session } = ledger;
    const { claims, writer } = group.records;
    for (const claim of claims) {
      const from = topic.tip.value.nextOffset;
      if (claim.kind !== "block" || claim.isLeaving || claim.unread.next <= from) continue;
      // None of them was read: a page that is on its way ends below.
      claim.unread.delete(from, claim.unread.next);
      claim.todo.delete(from, claim.todo.next);
      try {
        if (claim.todo.isEmpty && !writer.has(claim)) {
          await this.#release([claim.claimId]);
          group.records.release(claim);
        } else {
          await lanes.run("append", (store) =>
            store.splitClaim({ subscriptionId, session, claimId: claim.claimId, offset: from }),
          );
        }
      } catch (error) {
        // Whether the claim was split is not known: it is dropped here, and given back as a stray.
        group.records.drop([claim]);
        throw error;
      }
    }
  }

  /** Takes claims that are free and this node's share. False: there was none. */
  async takeFree(sync: SubscriptionSync, ticket: number): Promise<boolean> {
    const { group, lanes, ledger } = this.#parts;
    if (group.consumers.staying === 0) return false;
    const claimIds = this.#wantedOf(sync, ticket)
      .slice(0, takenClaimsMax)
      .map(({ claimId }) => claimId);
    if (claimIds.length === 0) return false;
    const { subscriptionId, session } = ledger;
    const taken = await lanes.run("append", (store) =>
      store.takeClaims({ subscriptionId, session, generation: ledger.generation, claimIds }),
    );
    if (taken.length === 0) return false;
    const takenIds = taken.map(({ claimId }) => claimId);
    const retries = await lanes
      .run("live", (store) => store.readRetries(subscriptionId, takenIds))
      .catch(async (error: unknown) => {
        await this.#release(takenIds);
        throw error;
      });
    for (const claim of taken) {
      group.add(
        claim,
        retries.filter(({ claimId }) => claimId === claim.claimId),
      );
    }
    return true;
  }

  /** Whether a free block that was left, since nothing of it was published, may be taken now. */
  get isPublished(): boolean {
    return this.#unpublishedFrom < this.#parts.topic.tip.value.nextOffset;
  }

  /** Gives back strays: claims that were taken by statements whose answers did not arrive. */
  async releaseStrays({ claims }: SubscriptionSync): Promise<void> {
    const { group, ledger, clock } = this.#parts;
    const strays = claims
      .filter((claim) => claim.session === ledger.session && !group.records.claims.has(claim.claimId))
      .map(({ claimId }) => claimId);
    const nowMs = clock.monotonicMs();
    const since = new Map(strays.map((claimId) => [claimId, this.#strays.get(claimId) ?? nowMs]));
    this.#strays = since;
    // A younger one may be about to be known here, or have no offsets left by now.
    const old = strays.filter((claimId) => nowMs - (since.get(claimId) ?? nowMs) > strayMs);
    if (old.length > 0) await this.#release(old);
  }

  #retireSurplus({ members, subscription }: SubscriptionSync, ticket: number): void {
    const { group, ledger } = this.#parts;
    const held = [...group.records.claims].filter((claim) => claim.kind === "slot" && !claim.isLeaving);
    let surplus = 0;
    if (subscription.sharing === "keyed") {
      surplus = held.length - slotShare(members, ledger.session, group.consumers.staying);
    } else if (subscription.sharing === "exclusive" && subscription.ticket > ticket) {
      surplus = held.length;
    }
    if (surplus > 0) {
      held.sort((one, other) => one.outstanding - other.outstanding);
      for (const claim of held.slice(0, surplus)) this.#retireSlot(claim.slot);
    }
    // Where no window is open here, other nodes may have room.
    if (subscription.sharing === "shared" && !group.consumers.hasOpen) this.#retireSlot(0);
  }

  #retireSlot(slot: number): void {
    const { records } = this.#parts.group;
    for (const claim of records.claims) if (claim.slot === slot) records.retire(claim);
  }

  #wantedOf({ claims, members, subscription }: SubscriptionSync, ticket: number): ClaimHolder[] {
    const { group, ledger, topic } = this.#parts;
    const free = claims.filter((claim) => claim.session === undefined);
    if (subscription.sharing === "shared") {
      const { nextOffset } = topic.tip.value;
      const takeable = free.filter(({ kind }) => kind !== "rest");
      // Where other nodes consume, this one would give back a block that is not published, take it again, and so on.
      const unpublished = takeable.filter(({ firstOffset }) => !ledger.isAlone && firstOffset >= nextOffset);
      this.#unpublishedFrom = Math.min(Number.POSITIVE_INFINITY, ...unpublished.map(({ firstOffset }) => firstOffset));
      // It does not matter whether there is room at this moment: busy consumers hardly ever have any.
      return group.consumers.hasOpen ? takeable.filter((claim) => !unpublished.includes(claim)) : [];
    }
    if (subscription.sharing === "exclusive" && subscription.ticket !== ticket) return [];
    const held = [...group.records.claims].filter(({ kind }) => kind === "slot");
    const slots = new Set(held.filter(({ isLeaving }) => !isLeaving).map(({ slot }) => slot));
    const isExclusive = subscription.sharing === "exclusive";
    const share = isExclusive ? 1 : slotShare(members, ledger.session, group.consumers.staying);
    return [
      ...free.filter(({ kind, slot }) => kind === "redriven" && slots.has(slot)),
      ...free.filter(({ kind }) => kind === "slot").slice(0, Math.max(0, share - held.length)),
    ];
  }

  async #release(claimIds: readonly number[]): Promise<void> {
    const { lanes, ledger } = this.#parts;
    const { subscriptionId, session } = ledger;
    await lanes.run("append", (store) => store.releaseClaims({ subscriptionId, session, claimIds }));
  }
}

/** What is given and taken as a whole: a block by itself, a slot with all that belongs to it. */
function placeOf(claim: Claim): Claim | number {
  return claim.kind === "block" ? claim : claim.slot;
}
