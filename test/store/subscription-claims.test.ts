import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { OffsetRange } from "../../src/core/index.js";
import type { ParkWrite, RetryWrite, SettleWrite, Store, StoredClaim } from "../../src/store/index.js";
import { createTestDatabase, databaseKinds, runOn, type TestDatabase } from "../support/database.js";
import { waitingRecords } from "../support/waiting-records.js";
import {
  allWritten,
  createdSubscription,
  cutBlock,
  endedSession,
  frameAt,
  frameBytes,
  openedSession,
  range,
  settleOn,
  takeAll,
  topicOf,
} from "./subscription-writes.js";

describe.each(databaseKinds)("Claims on %s", (kind) => {
  let database: TestDatabase;
  let store: Store;
  let names = 0;

  beforeAll(async () => {
    database = await createTestDatabase(kind);
    store = await database.openStore();
  });
  afterAll(() => database?.drop());

  /** A SHARED subscription of a new topic. */
  async function shared(records = 100) {
    names += 1;
    const topicId = await topicOf(store, `shared-${names}`, records);
    return createdSubscription(store, `shared-${names}`, topicId);
  }

  /** An EXCLUSIVE subscription whose claim is taken. */
  async function heldSlot(records: number) {
    names += 1;
    const topicId = await topicOf(store, `held-${names}`, records);
    const subscription = await createdSubscription(store, `held-${names}`, topicId, { sharing: "exclusive" });
    const session = await openedSession(store);
    const [claim] = (await takeAll(store, subscription, session)) as [StoredClaim];
    const { subscriptionId } = subscription;
    const { claimId } = claim;
    return {
      topicId,
      subscription,
      subscriptionId,
      session,
      claimId,
      settle: (write: Partial<SettleWrite>) => settleOn(store, subscriptionId, session, write),
      retry: (offset: number, change: Partial<RetryWrite> = {}): RetryWrite => ({
        claimId,
        ...range(offset),
        deliveries: 1,
        failures: 1,
        delayMs: 0,
        lane: undefined,
        reason: "bad",
        ...change,
      }),
      park: (offset: number, change: Partial<ParkWrite> = {}): ParkWrite => ({
        claimId,
        offset,
        deliveries: 1,
        slot: 0,
        lane: undefined,
        reason: "worse",
        ...change,
      }),
      parked: (change = {}) =>
        store.listParked({ subscriptionId, from: 0, until: Infinity, count: 100, bytes: 100_000, ...change }),
      progress: () => store.readProgress(subscriptionId),
    };
  }

  test("claimBlock(), cuts the rest from below, within its bounds, and drops trimmed offsets", async () => {
    const { subscriptionId, generation } = await shared();
    const session = await openedSession(store);
    const cut = async (count: number, fromOffset: number, untilOffset: number, change = {}) =>
      (await store.claimBlock({ subscriptionId, session, generation, count, fromOffset, untilOffset, ...change }))
        ?.todo;
    expect(await cut(10, 0, 100)).toEqual([range(0, 10)]);
    expect(await cut(10, 5, 100)).toEqual([range(10, 20)]);
    expect(await cut(10, 0, 25)).toEqual([range(20, 25)]);
    expect(await cut(10, 0, 25)).toBeUndefined();
    expect(await cut(10, 0, 24)).toBeUndefined();
    // Trimmed records are neither delivered nor left in the rest.
    expect(await cut(10, 40, 30)).toBeUndefined();
    expect(await cut(10, 0, 45)).toEqual([range(40, 45)]);
    expect(await cut(10, 50, 100)).toEqual([range(50, 60)]);
    expect(await cut(10, 0, 100, { generation: generation + 1 })).toBeUndefined();
    expect(await cut(10, 0, 100, { session: 999_999 })).toBeUndefined();
    expect(await cut(10, 0, 100, { subscriptionId: 999_999 })).toBeUndefined();
    expect(await cut(1, 0, 100)).toEqual([range(60)]);
    const one = { subscriptionId, session, generation, count: 1, fromOffset: 0, untilOffset: 100 };
    const block = await store.claimBlock(one);
    expect(block).toMatchObject({ kind: "block", slot: 0 });
  });

  test("splitClaim(), frees a block's offsets from an offset on, only for its holder", async () => {
    const subscription = await shared();
    const { subscriptionId, generation } = subscription;
    const [a, b] = [await openedSession(store), await openedSession(store)];
    const block = await cutBlock(store, subscription, a, 10);
    const settled = [{ claimId: block.claimId, ranges: [range(1), range(3)] }];
    await settleOn(store, subscriptionId, a, { settled, folds: false });
    await store.splitClaim({ subscriptionId, session: b, claimId: block.claimId, offset: 5 });
    await store.splitClaim({ subscriptionId, session: a, claimId: block.claimId, offset: 10 });
    const free = async () => {
      const sync = await store.syncSubscription(subscriptionId, { session: b, consumers: 1, facts: "[]" });
      return sync?.claims.filter(({ kind, session }) => kind === "block" && session === undefined) ?? [];
    };
    expect(await free()).toEqual([]);
    await store.splitClaim({ subscriptionId, session: a, claimId: block.claimId, offset: 5 });
    const ids = (await free()).map(({ claimId }) => claimId);
    expect(await store.takeClaims({ subscriptionId, session: b, generation, claimIds: ids })).toMatchObject([
      { todo: [range(5, 10)] },
    ]);
    expect((await store.readProgress(subscriptionId))?.cursor).toBe(0);
    await store.releaseClaims({ subscriptionId, session: a, claimIds: [block.claimId] });
    expect(await store.takeClaims({ subscriptionId, session: b, generation, claimIds: [block.claimId] })).toMatchObject(
      [{ todo: [range(0), range(2), range(4)] }],
    );
  });

  test("takeClaims(), takes free claims, for an existing session, in this generation", async () => {
    const subscription = await shared();
    const { subscriptionId, generation } = subscription;
    const [a, b] = [await openedSession(store), await openedSession(store)];
    const one = await cutBlock(store, subscription, a, 10);
    const two = await cutBlock(store, subscription, a, 10);
    const ids = [two.claimId, one.claimId, 999_999];
    expect(await store.takeClaims({ subscriptionId, session: b, generation, claimIds: ids })).toEqual([]);
    await settleOn(store, subscriptionId, a, {
      settled: [{ claimId: two.claimId, ranges: [range(12), range(14, 16)] }],
    });
    // Another session cannot release it.
    await store.releaseClaims({ subscriptionId, session: b, claimIds: ids });
    expect(await store.takeClaims({ subscriptionId, session: b, generation, claimIds: ids })).toEqual([]);
    await store.releaseClaims({ subscriptionId, session: a, claimIds: ids });
    expect(await store.takeClaims({ subscriptionId, session: b, generation: generation + 1, claimIds: ids })).toEqual(
      [],
    );
    expect(await store.takeClaims({ subscriptionId, session: 999_999, generation, claimIds: ids })).toEqual([]);
    expect(await store.takeClaims({ subscriptionId, session: b, generation, claimIds: [] })).toEqual([]);
    expect(await store.takeClaims({ subscriptionId, session: b, generation, claimIds: ids })).toEqual([
      one,
      { ...two, todo: [range(10, 12), range(13), range(16, 20)] },
    ]);
    expect(await store.takeClaims({ subscriptionId, session: a, generation, claimIds: ids })).toEqual([]);
  });

  test("a claim of an ended session is taken by another, and its old holder is refused everything", async () => {
    const subscription = await shared();
    const { subscriptionId, generation } = subscription;
    const late = await openedSession(store, 1);
    const block = await cutBlock(store, subscription, late, 10);
    const { claimId } = block;
    const kept = await cutBlock(store, subscription, late, 10);
    await endedSession(store);
    const heir = await openedSession(store);
    expect(await store.takeClaims({ subscriptionId, session: heir, generation, claimIds: [claimId] })).toEqual([block]);
    const lost = { ...allWritten, lostClaims: [claimId] };
    const settled = [{ claimId, ranges: [range(0, 10)] }];
    expect(await settleOn(store, subscriptionId, late, { settled })).toEqual(lost);
    const facts = { claimId, deliveries: 1, lane: 3, reason: "bad" };
    const retries = [{ ...facts, ...range(1), failures: 1, delayMs: 0 }];
    expect(await settleOn(store, subscriptionId, late, { settled, retries })).toEqual(lost);
    const parked = [{ ...facts, offset: 2, slot: 0 }];
    expect(await settleOn(store, subscriptionId, late, { parked })).toEqual(lost);
    await store.releaseClaims({ subscriptionId, session: late, claimIds: [claimId] });
    const records = [{ offset: 1, slot: 0, attempt: 1 }];
    expect(await store.commit({ subscriptionId, session: late, records, topics: [] })).toEqual({
      kind: "stale",
      offsets: [1],
    });
    expect(await store.readProgress(subscriptionId)).toMatchObject({
      cursor: 0,
      unsettled: 100,
      retries: 0,
      parked: 0,
    });
    // Nor does it delete what the new holder recorded.
    await settleOn(store, subscriptionId, heir, { retries });
    // The claim that nobody took is still its own, and is settled; the other is unchanged.
    const both = [...settled, { claimId: kept.claimId, ranges: [range(0, 12)] }];
    expect(
      await settleOn(store, subscriptionId, late, { settled: both, settledRetries: [{ claimId, ranges: [range(1)] }] }),
    ).toEqual(lost);
    expect(await waitingRecords(store, subscriptionId, [claimId])).toHaveLength(1);
    const settledRetries = [{ claimId, ranges: [range(1)] }];
    expect(await settleOn(store, subscriptionId, heir, { settled, settledRetries })).toEqual(allWritten);
    expect(await store.readProgress(subscriptionId)).toMatchObject({ cursor: 12, retries: 0 });
  });

  test("settle(), removes ranges, and deletes an empty block, but no slot and no rest", async () => {
    const subscription = await shared();
    const { subscriptionId, generation } = subscription;
    const session = await openedSession(store);
    const { claimId } = await cutBlock(store, subscription, session, 10);
    const settle = (...ranges: ReturnType<typeof range>[]) =>
      settleOn(store, subscriptionId, session, { settled: ranges.map((each) => ({ claimId, ranges: [each] })) });
    // One claim twice, in any order, overlapping, and beyond its offsets.
    expect(await settle(range(5, 7), range(1, 3), range(2, 4), range(9, 99))).toEqual(allWritten);
    await store.releaseClaims({ subscriptionId, session, claimIds: [claimId] });
    const [taken] = await store.takeClaims({ subscriptionId, session, generation, claimIds: [claimId] });
    expect(taken?.todo).toEqual([range(0), range(4), range(7, 9)]);
    expect(await settle(range(0, 20))).toEqual(allWritten);
    expect(await settle(range(0, 20))).toEqual({ ...allWritten, lostClaims: [claimId] });
    const sync = await store.syncSubscription(subscriptionId, { session, consumers: 1, facts: "" });
    expect(sync?.claims).toHaveLength(1);
    expect(await settleOn(store, subscriptionId, session, {})).toEqual(allWritten);

    const slot = await heldSlot(5);
    const whole = [{ claimId: slot.claimId, ranges: [range(0, Infinity)] }];
    expect(await slot.settle({ settled: whole })).toEqual(allWritten);
    expect(await slot.settle({ settled: whole })).toEqual(allWritten);
  });

  test("settle(), records redeliveries, adds reasons, and deletes both when the records are settled", async () => {
    const { settle, retry, park, claimId, subscriptionId, progress, parked } = await heldSlot(10);
    const outcome = await settle({
      settled: [{ claimId, ranges: [range(0, 2)] }],
      retries: [
        retry(2, { delayMs: 5000.5, lane: 2 ** 32 - 1, reason: "first" }),
        retry(1),
        retry(3, { reason: undefined, failures: 0 }),
        retry(99, { claimId: 999_999 }),
      ],
    });
    expect(outcome).toEqual({ lostClaims: [999_999], settledElsewhere: [range(1)] });
    const [soon, later, ...more] = await waitingRecords(store, subscriptionId, [claimId, 999_999]);
    expect(more).toEqual([]);
    expect(soon).toMatchObject({ claimId, offset: 3, deliveries: 1, failures: 0, lane: undefined });
    expect(later).toMatchObject({ claimId, offset: 2, deliveries: 1, failures: 1, lane: 2 ** 32 - 1 });
    expect(soon?.delayMs).toBe(0);
    expect(later?.delayMs).toBeGreaterThan(0);
    expect(later?.delayMs).toBeLessThanOrEqual(5000.5);
    expect(await store.readRetries(subscriptionId, [])).toEqual([]);
    expect(await store.readRetryFrames(subscriptionId, [3, 50, 2])).toEqual([
      { offset: 2, frame: frameAt(2) },
      { offset: 3, frame: frameAt(3) },
    ]);
    await settle({ retries: [retry(2, { deliveries: 2, failures: 2, reason: "second" })] });
    await settle({ parked: [park(2, { deliveries: 106, reason: "nul \0 and half \ud83d" })] });
    const [record] = await parked();
    expect(record).toMatchObject({ offset: 2, deliveries: 106, frame: frameAt(2) });
    expect(record?.reasons).toEqual(["first", "second", "nul \ufffd and half \ufffd"]);
    expect(await progress()).toMatchObject({ cursor: 3, retries: 1, parked: 1 });
    expect(
      await settle({ settled: [{ claimId, ranges: [range(3)] }], settledRetries: [{ claimId, ranges: [range(3)] }] }),
    ).toEqual(allWritten);
    expect(await progress()).toMatchObject({ cursor: 4, retries: 0 });
  });

  test("settle(), records redeliveries only for offsets that the claim still has, and deletes them by ranges", async () => {
    const { settle, retry, claimId, subscriptionId, progress } = await heldSlot(100);
    const noted = async () =>
      (await waitingRecords(store, subscriptionId, [claimId])).map(({ offset, deliveries, failures }) => [
        offset,
        deliveries,
        failures,
      ]);
    await settle({ settled: [{ claimId, ranges: [range(0, 3), range(5)] }] });
    // Offsets that the same write settles are not recorded.
    const outcome = await settle({
      settled: [{ claimId, ranges: [range(8)] }],
      retries: [
        retry(0, { ...range(2, 10), deliveries: 0, failures: 0, reason: undefined }),
        retry(0, { ...range(20, 23), deliveries: 4, failures: 3 }),
      ],
    });
    expect(outcome).toEqual({ ...allWritten, settledElsewhere: [range(2), range(5), range(8)] });
    const untouched = [3, 4, 6, 7, 9].map((offset) => [offset, 0, 0]);
    expect(await noted()).toEqual([...untouched, ...[20, 21, 22].map((offset) => [offset, 4, 3])]);
    const settledRetries = [{ claimId, ranges: [range(4, 7), range(20, 22)] }];
    await settle({ settled: [{ claimId, ranges: [range(4, 7), range(10, 22)] }], settledRetries });
    expect(await noted()).toEqual([
      [3, 0, 0],
      [7, 0, 0],
      [9, 0, 0],
      [22, 4, 3],
    ]);
    expect(await progress()).toMatchObject({ cursor: 3, unsettled: 81 });
  });

  test("settle(), a write that arrives late, does not lower the number of deliveries", async () => {
    const { settle, retry, claimId, subscriptionId } = await heldSlot(10);
    const early = { retries: [retry(2)] };
    await settle(early);
    await settle({ retries: [retry(2, { deliveries: 2, failures: 2 })] });
    expect(await settle(early)).toEqual(allWritten);
    const deliveries = async () =>
      (await waitingRecords(store, subscriptionId, [claimId])).map((waiting) => waiting.deliveries);
    expect(await deliveries()).toEqual([2]);
    // A release does not count as a delivery.
    await settle({ retries: [retry(2, { deliveries: 2, failures: 2, delayMs: 1000, reason: undefined })] });
    expect(await deliveries()).toEqual([2]);
  });

  // It writes without the store, which only Postgres allows.
  const onServer = kind === "postgres" ? test : () => undefined;
  onServer("settle(), keeps the newest hundred reasons", async () => {
    const { settle, retry, park, parked, subscriptionId } = await heldSlot(10);
    for (const offset of [2, 3]) await settle({ retries: [retry(offset)] });
    const { connection } = database;
    if (connection.kind !== "postgres") throw new Error("It has no URL");
    const many = "(select array_agg('reason ' || n) from generate_series(1, 99) as n)";
    const where = `where subscription_id = ${subscriptionId} and offsets @> 2::bigint`;
    await runOn(connection.url, `update millrace.retries set reasons = ${many} ${where}`);
    for (const reason of ["a", "b"]) await settle({ retries: [retry(2, { reason })] });
    await settle({ parked: [park(2, { reason: "c" }), park(3)] });
    const [record, other] = await parked();
    expect(record?.reasons).toHaveLength(100);
    expect([record?.reasons[0], ...(record?.reasons.slice(-3) ?? [])]).toEqual(["reason 3", "a", "b", "c"]);
    expect(other?.reasons).toEqual(["bad", "worse"]);
  });

  test("settle(), parks with a copy of the frame, and settles a record without one", async () => {
    const { settle, park, retry, claimId, subscriptionId, topicId, parked, progress } = await heldSlot(10);
    await settle({ retries: [retry(0), retry(5)] });
    await store.trimTopic(topicId, 2);
    expect(await settle({ parked: [park(0), park(5), park(1), park(9, { claimId: 999_999 })] })).toEqual({
      lostClaims: [999_999],
      settledElsewhere: [],
    });
    expect(await settle({ parked: [park(5)], retries: [retry(5)] })).toEqual({
      ...allWritten,
      settledElsewhere: [range(5)],
    });
    await store.trimTopic(topicId, 10);
    await store.deleteTrimmed({ topicId, count: 100 });
    const before = (await store.now()) - 60_000_000;
    const [record, ...more] = await parked();
    expect(more).toEqual([]);
    expect(record).toMatchObject({ offset: 5, frame: frameAt(5), deliveries: 1, reasons: ["bad", "worse"] });
    expect(record?.parkedMicros).toBeGreaterThan(before);
    expect(await progress()).toMatchObject({ cursor: 10, unsettled: 0, retries: 0, parked: 1 });
    expect(await store.readRetryFrames(subscriptionId, [3])).toEqual([]);
    expect(await settle({ settled: [{ claimId, ranges: [range(0, 10)] }] })).toEqual(allWritten);
  });

  test("findSettled(), returns the offsets that a session's claims have lost", async () => {
    const { settle, retry, claimId, subscriptionId, session } = await heldSlot(100);
    const { claimId: block } = await cutBlock(store, await shared(), session, 5);
    await settle({ settled: [{ claimId, ranges: [range(3, 6), range(8)] }], retries: [retry(7)] });
    const find = (ranges: OffsetRange[], holder = session, id = claimId) =>
      store.findSettled({ subscriptionId, session: holder, claims: [{ claimId: id, ranges }] });
    expect(await find([range(0, 3), range(7), range(9, 50)])).toEqual([]);
    expect(await find([range(0, 5), range(7, 10)])).toEqual([{ claimId, ranges: [range(3, 5), range(8)] }]);
    // A claim that it does not hold, or that was deleted, has none of them.
    const all = [range(0, 2), range(6)];
    expect(await find(all, session + 1000)).toEqual([{ claimId, ranges: all }]);
    expect(await find(all, session, block)).toEqual([{ claimId: block, ranges: all }]);
    const both = [
      { claimId, ranges: [range(4)] },
      { claimId: 999_999, ranges: [range(1)] },
    ];
    expect(await store.findSettled({ subscriptionId, session, claims: both })).toEqual(both);
    expect(await store.findSettled({ subscriptionId, session, claims: [] })).toEqual([]);
  });

  test("listParked(), pages by offset within its bounds; discardParked(), deletes", async () => {
    const { settle, park, subscriptionId, parked } = await heldSlot(10);
    await settle({ parked: [8, 1, 5, 3].map((offset) => park(offset)) });
    const offsets = async (change = {}) => (await parked(change)).map(({ offset }) => offset);
    expect(await offsets()).toEqual([1, 3, 5, 8]);
    expect(await offsets({ from: 3, until: 8 })).toEqual([3, 5]);
    expect(await offsets({ count: 2 })).toEqual([1, 3]);
    expect(await offsets({ from: 2, bytes: 2 * frameBytes })).toEqual([3, 5]);
    expect(await offsets({ bytes: 1 })).toEqual([1]);
    expect(await store.discardParked(subscriptionId, [1, 2, 8])).toBe(2);
    expect(await store.discardParked(subscriptionId, [])).toBe(0);
    expect(await offsets()).toEqual([3, 5]);
  });

  test("redriveParked(), makes a free claim for each slot, with times and frames of its records", async () => {
    const { settle, park, retry, subscription, subscriptionId, session, topicId, parked } = await heldSlot(10);
    await settle({ retries: [retry(4)] });
    await settle({
      parked: [park(2, { lane: 7 }), park(3, { slot: 1 }), park(4, { deliveries: 5, lane: 7 }), park(6)],
    });
    await store.trimTopic(topicId, 10);
    const redrive = (offsets: readonly number[]) =>
      store.redriveParked({ subscriptionId, offsets, delayMs: 1000, stepMicros: 500 });
    expect(await redrive([4, 2, 3, 9])).toBe(3);
    expect(await redrive([4, 2, 3])).toBe(0);
    expect(await redrive([])).toBe(0);
    expect((await parked()).map(({ offset }) => offset)).toEqual([6]);
    const claims = await takeAll(store, subscription, session);
    expect(claims.toSorted((a, b) => a.slot - b.slot)).toMatchObject([
      { kind: "redriven", slot: 0, todo: [range(2), range(4)] },
      { kind: "redriven", slot: 1, todo: [range(3)] },
    ]);
    const ids = claims.map(({ claimId }) => claimId);
    const waiting = await waitingRecords(store, subscriptionId, ids);
    expect(waiting).toMatchObject([
      { offset: 2, deliveries: 1, failures: 0, lane: 7 },
      { offset: 3, deliveries: 1, failures: 0, lane: undefined },
      { offset: 4, deliveries: 5, failures: 0, lane: 7 },
    ]);
    const [first, second, third] = waiting.map(({ delayMs }) => delayMs) as [number, number, number];
    expect([second - first, third - second].map((ms) => Math.round(ms * 1000))).toEqual([500, 500]);
    expect(first).toBeLessThanOrEqual(1000);
    expect(await store.readRetryFrames(subscriptionId, [2, 4, 6])).toEqual([
      { offset: 2, frame: frameAt(2) },
      { offset: 4, frame: frameAt(4) },
    ]);

    // Fails again, keeps its frame, and is parked with it.
    const claimId = claims.find(({ slot }) => slot === 0)?.claimId ?? 0;
    await settle({ retries: [retry(4, { claimId, deliveries: 6, reason: "again" })] });
    expect(await settle({ parked: [park(4, { claimId, deliveries: 7 })] })).toEqual(allWritten);
    const again = { offset: 4, frame: frameAt(4), deliveries: 7, reasons: ["again", "worse"] };
    expect((await parked())[0]).toMatchObject(again);
    expect(
      await settle({ settled: [{ claimId, ranges: [range(2)] }], settledRetries: [{ claimId, ranges: [range(2)] }] }),
    ).toEqual(allWritten);
    const left = await store.syncSubscription(subscriptionId, { session, consumers: 1, facts: "" });
    expect(left?.claims.map(({ kind: claimKind }) => claimKind).toSorted()).toEqual(["redriven", "slot"]);
  });

  test("redriveParked(), leaves a record parked that a claim has after a seek, until it is settled", async () => {
    const { settle, park, subscription, subscriptionId, session, parked } = await heldSlot(10);
    await settle({ parked: [park(2), park(5)] });
    const sought = await store.seekSubscription({ subscriptionId, epoch: 7, offset: 4 });
    const [claim] = (await takeAll(store, sought ?? subscription, session)) as [StoredClaim];
    const { claimId } = claim;
    const redrive = (...offsets: number[]) =>
      store.redriveParked({ subscriptionId, offsets, delayMs: 0, stepMicros: 0 });
    expect(await redrive(2, 5)).toBe(1);
    expect(await parked()).toMatchObject([{ offset: 5, reasons: ["worse"] }]);
    // Parked again, it replaces the earlier row.
    await settle({ parked: [park(5, { claimId, deliveries: 3, reason: "other" })] });
    expect(await parked()).toMatchObject([{ offset: 5, deliveries: 3, reasons: ["other"] }]);
    expect(await redrive(5)).toBe(1);
    expect(await store.redriveParked({ subscriptionId: 999_999, offsets: [5], delayMs: 0, stepMicros: 0 })).toBe(0);
  });
});
