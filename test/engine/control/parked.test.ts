import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { OffsetRange } from "../../../src/core/index.js";
import { parseFilter } from "../../../src/filter/index.js";
import type { Store, StoredSubscription } from "../../../src/store/index.js";
import { createTestDatabase, databaseKinds, type TestDatabase } from "../../support/database.js";
import { range } from "../../support/open-engine.js";
import { waitingRecords } from "../../support/waiting-records.js";
import { type ControlPlane, createTopic, holdAll, openControlPlane, subscriptionOf } from "../control-plane.js";

const noSignal = new AbortController().signal;
const even = parseFilter("key == 'even'");

describe.each(databaseKinds)("Parked records on %s", (kind) => {
  let database: TestDatabase;
  let store: Store;
  let plane: ControlPlane;
  let names = 0;

  beforeAll(async () => {
    database = await createTestDatabase(kind);
    store = await database.openStore();
    await store.openSession({ session: 1_000_000, node: "reader", leaseMs: 60_000 });
    plane = openControlPlane(store);
  });
  afterAll(async () => {
    await plane.close();
    await database.drop();
  });

  /** A subscription whose first `count` records are parked. The key of even offsets is "even". */
  async function park(count: number, { text = "x", reason = "bad" } = {}): Promise<StoredSubscription> {
    const name = `parked-${names++}`;
    await createTopic(store, name);
    const most = Math.min(500, Math.floor(1_000_000 / text.length));
    for (let at = 0; at < count; at += most) {
      const batch = range(at, Math.min(count, at + most));
      await plane.append(
        name,
        batch.map((offset) => ({ key: offset % 2 === 0 ? "even" : "odd", text })),
      );
    }
    const subscription = await plane.subscriptions.create(subscriptionOf(name, name));
    const { session, claimId } = await holdAll(store, subscription, count);
    await store.settle({
      subscriptionId: subscription.subscriptionId,
      session,
      settled: [],
      folds: true,
      settledRetries: [],
      retries: [],
      parked: range(0, count).map((offset) => ({
        claimId,
        offset,
        deliveries: 5,
        slot: 0,
        lane: undefined,
        reason,
      })),
    });
    return subscription;
  }

  async function listed(subscription: string, more: { filter?: typeof even; from?: number; count?: number } = {}) {
    const request = { subscription, filter: undefined, from: 0, count: 1000, ...more };
    const { records, next } = await plane.subscriptions.listParked(request);
    return { offsets: records.map(({ offset }) => offset), next };
  }

  /** The records that wait for redelivery, by time. */
  async function waiting({ subscriptionId }: StoredSubscription) {
    const sync = await store.syncSubscription(subscriptionId, { session: 1_000_000, consumers: 0, facts: "[]" });
    const redriven = sync?.claims.filter((claim) => claim.kind === "redriven") ?? [];
    const claimIds = redriven.map(({ claimId }) => claimId);
    return waitingRecords(store, subscriptionId, claimIds);
  }

  const select = (subscription: string, offsets: readonly OffsetRange[] = [], filter?: typeof even) => ({
    subscription,
    offsets,
    filter,
  });

  it("list by offset, a page at a time, and report the end", async () => {
    const { name } = await park(5);
    expect(await listed(name)).toEqual({ offsets: [0, 1, 2, 3, 4], next: undefined });
    expect(await listed(name, { count: 5 })).toEqual({ offsets: [0, 1, 2, 3, 4], next: undefined });
    expect(await listed(name, { count: 2 })).toEqual({ offsets: [0, 1], next: 2 });
    expect(await listed(name, { count: 2, from: 3 })).toEqual({ offsets: [3, 4], next: undefined });
    expect(await listed(name, { from: 5 })).toEqual({ offsets: [], next: undefined });
    expect(await listed(name, { filter: even, count: 2 })).toEqual({ offsets: [0, 2], next: 4 });
    expect(await listed(name, { filter: even, count: 3 })).toEqual({ offsets: [0, 2, 4], next: undefined });
  });

  it("list fewer where they are large, by their frames and by their reasons", async () => {
    const large = await park(5, { text: "x".repeat(900_000) });
    expect(await listed(large.name)).toEqual({ offsets: [0, 1], next: 2 });
    expect(await listed(large.name, { from: 2 })).toEqual({ offsets: [2, 3], next: 4 });
    const reasoned = await park(3, { reason: "x".repeat(900_000) });
    expect(await listed(reasoned.name)).toEqual({ offsets: [0, 1], next: 2 });
  });

  it("list over several reads what a filter matches", async () => {
    const { name } = await park(600);
    const none = parseFilter("key == 'none'");
    expect(await listed(name, { filter: none, count: 10 })).toEqual({ offsets: [], next: undefined });
    const most = await listed(name, { filter: even, count: 290 });
    expect(most).toEqual({ offsets: range(0, 290).map((index) => 2 * index), next: 580 });
  });

  it("are returned with their reasons, or refused where there is none", async () => {
    const { name } = await park(2);
    expect(await plane.subscriptions.getParked(name, 1)).toMatchObject({
      offset: 1,
      deliveries: 5,
      reasons: ["bad"],
    });
    await expect(plane.subscriptions.getParked(name, 2)).rejects.toMatchObject({
      code: "parked-not-found",
      metadata: { subscription: name, offset: "2" },
    });
    await expect(plane.subscriptions.getParked("none", 0)).rejects.toMatchObject({ code: "subscription-not-found" });
  });

  it("are redriven by ranges and a filter, at once, while the cursor stays", async () => {
    const subscription = await park(12);
    const { name, subscriptionId } = subscription;
    const ranges = [
      { firstOffset: 7, nextOffset: 9 },
      { firstOffset: 1, nextOffset: 4 },
      { firstOffset: 3, nextOffset: 5 },
      { firstOffset: 11, nextOffset: 500 },
    ];
    const cursor = (await store.readProgress(subscriptionId))!.cursor;
    expect(await plane.subscriptions.redriveParked(select(name, ranges, even), 0, noSignal)).toBe(3);
    expect(plane.told.at(-1)).toBe(`nudged ${subscriptionId}`);
    expect((await waiting(subscription)).map(({ offset, failures }) => [offset, failures])).toEqual([
      [2, 0],
      [4, 0],
      [8, 0],
    ]);
    expect((await store.readProgress(subscriptionId))!.cursor).toBe(cursor);
    expect((await listed(name)).offsets).toEqual([0, 1, 3, 5, 6, 7, 9, 10, 11]);
    expect(await plane.subscriptions.redriveParked(select(name, ranges), 0, noSignal)).toBe(4);
    expect(await plane.subscriptions.redriveParked(select(name), 0, noSignal)).toBe(5);
    expect(await plane.subscriptions.redriveParked(select(name), 0, noSignal)).toBe(0);
    expect(await waiting(subscription)).toHaveLength(12);
  });

  it("are redriven at a rate that holds over pages", async () => {
    const subscription = await park(1100);
    const most = parseFilter("offset != 3");
    expect(await plane.subscriptions.redriveParked(select(subscription.name, [], most), 100, noSignal)).toBe(1099);
    const retries = await waiting(subscription);
    expect(retries.map(({ offset }) => offset)).toEqual(range(0, 1100).filter((offset) => offset !== 3));
    // As far apart as requested, less the time of the statements. The first ones may be due by now.
    const delays = retries.map(({ delayMs }) => delayMs).filter((delayMs) => delayMs > 0);
    const apart = delays.slice(1).map((delayMs, index) => delayMs - delays[index]!);
    expect(Math.min(...apart)).toBeGreaterThan(9.99);
    expect(Math.max(...apart)).toBeLessThan(5000);
    expect(delays.at(-1)).toBeGreaterThan(5000);
  });

  it("stay parked if they were parked after the redrive began", async () => {
    const { name, subscriptionId } = await park(1);
    await plane.append(name, [{}]);
    const { session, claimId } = await holdAll(store, await plane.subscriptions.get(name), 2);
    const began = await store.now();
    const late = openControlPlane({
      ...store,
      now: async () => began,
      async listParked(request) {
        while ((await store.now()) <= began);
        const parked = [{ claimId, offset: 1, deliveries: 1, slot: 0, lane: undefined, reason: "late" }];
        await store.settle({
          subscriptionId,
          session,
          settled: [],
          folds: true,
          settledRetries: [],
          retries: [],
          parked,
        });
        return store.listParked(request);
      },
    });
    expect(await late.subscriptions.redriveParked(select(name), 0, noSignal)).toBe(1);
    expect((await listed(name)).offsets).toEqual([1]);
    await late.close();
  });

  it("stay parked if an abort precedes their page", async () => {
    const { name } = await park(3);
    const aborted = AbortSignal.abort(new Error("gone"));
    await expect(plane.subscriptions.redriveParked(select(name), 1, aborted)).rejects.toThrow("gone");
    await expect(plane.subscriptions.redriveParked(select(name), Number.NaN, noSignal)).rejects.toMatchObject({
      violations: [{ field: "rate" }],
    });
    expect((await listed(name)).offsets).toEqual([0, 1, 2]);
  });

  it("are discarded by ranges and a filter, and are not delivered again", async () => {
    const subscription = await park(6);
    const { name } = subscription;
    const ranges = [{ firstOffset: 2, nextOffset: 6 }];
    expect(await plane.subscriptions.discardParked(select(name, ranges, even), noSignal)).toBe(2);
    expect((await listed(name)).offsets).toEqual([0, 1, 3, 5]);
    expect(await plane.subscriptions.discardParked(select(name), noSignal)).toBe(4);
    expect((await listed(name)).offsets).toEqual([]);
    expect(await waiting(subscription)).toEqual([]);
  });
});
