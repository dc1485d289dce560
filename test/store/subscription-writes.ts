/** Writes for the tests of subscriptions: topics with records, subscriptions, sessions. */

import { expect } from "vitest";
import { defaultDeliveryPolicy, type OffsetRange } from "../../src/core/index.js";
import type {
  NewSubscription,
  SettleOutcome,
  SettleWrite,
  Store,
  StoredClaim,
  StoredSubscription,
} from "../../src/store/index.js";
import { framesOf } from "../support/frames.js";
import { createdTopic, writeAfter } from "./topic-writes.js";

export const longLeaseMs = 3600_000;

/** The time of every record of `topicOf`. */
export const takenMicros = 1_700_000_000_123_456;

/** The stored frame of the record at an offset: all have the same length. */
export const frameAt = (offset: number): Buffer => Buffer.from(framesOf([10], offset, takenMicros).bytes);

export const frameBytes = frameAt(0).length;

/** A topic with this number of records. */
export async function topicOf(store: Store, name: string, records: number): Promise<number> {
  const { head } = await createdTopic(store, name);
  const frames = Array.from({ length: records }, (_, offset) => frameAt(offset));
  if (records > 0) expect(await store.append(writeAfter(head, frames, { timeMicros: takenMicros }))).toBe("appended");
  return head.topicId;
}

export function newSubscription(name: string, topicId: number, change: Partial<NewSubscription> = {}): NewSubscription {
  const rest = { sharing: "shared", policy: defaultDeliveryPolicy, labels: new Map(), fromOffset: 0 } as const;
  return { name, topicId, epoch: 7, ...rest, ...change };
}

export async function createdSubscription(
  store: Store,
  name: string,
  topicId: number,
  change: Partial<NewSubscription> = {},
): Promise<StoredSubscription> {
  const subscription = await store.createSubscription(newSubscription(name, topicId, change));
  if (typeof subscription === "string") throw new Error(`Subscription ${name}: ${subscription}`);
  return subscription;
}

let sessions = 0;

/** Opens a session with an unused id. */
export async function openedSession(store: Store, leaseMs = longLeaseMs): Promise<number> {
  sessions += 1;
  await store.openSession({ session: sessions, node: "node", leaseMs });
  return sessions;
}

/** Ends expired sessions once there is one. Returns how many. */
export async function endedSession(store: Store): Promise<number> {
  for (;;) {
    const ended = await store.endExpiredSessions();
    if (ended > 0) return ended;
  }
}

export const range = (firstOffset: number, nextOffset = firstOffset + 1): OffsetRange => ({ firstOffset, nextOffset });

/** Takes all claims of an EXCLUSIVE or KEYED subscription. */
export async function takeAll(
  store: Store,
  { subscriptionId, generation }: StoredSubscription,
  session: number,
): Promise<readonly StoredClaim[]> {
  const sync = await store.syncSubscription(subscriptionId, { session, consumers: 1, facts: "{}" });
  const claimIds = (sync?.claims ?? []).filter(({ kind }) => kind !== "rest").map(({ claimId }) => claimId);
  return store.takeClaims({ subscriptionId, session, generation, claimIds });
}

/** Cuts a block off the rest, or throws. */
export async function cutBlock(
  store: Store,
  { subscriptionId, generation }: StoredSubscription,
  session: number,
  count: number,
  untilOffset = 1000,
): Promise<StoredClaim> {
  const request = { subscriptionId, session, generation, count, fromOffset: 0, untilOffset };
  const block = await store.claimBlock(request);
  if (block === undefined) throw new Error("There is no block");
  return block;
}

/** A settle in which everything else is empty. */
export function settleOn(
  store: Store,
  subscriptionId: number,
  session: number,
  write: Partial<SettleWrite>,
): Promise<SettleOutcome> {
  const nothing = { settled: [], folds: true, settledRetries: [], retries: [], parked: [] };
  return store.settle({ subscriptionId, session, ...nothing, ...write });
}

export const allWritten: SettleOutcome = { lostClaims: [], settledElsewhere: [] };
