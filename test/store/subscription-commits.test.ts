import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { CommitTopic, Head, Store, StoredClaim } from "../../src/store/index.js";
import { createTestDatabase, databaseKinds, runOn, type TestDatabase } from "../support/database.js";
import {
  createdSubscription,
  cutBlock,
  openedSession,
  range,
  settleOn,
  takeAll,
  topicOf,
} from "./subscription-writes.js";
import { createdTopic, frameOf, headOf, readAll, textOf, writeAfter } from "./topic-writes.js";

describe.each(databaseKinds)("Store.commit() on %s", (kind) => {
  let database: TestDatabase;
  let store: Store;
  let names = 0;

  beforeAll(async () => {
    database = await createTestDatabase(kind);
    store = await database.openStore();
  });
  afterAll(() => database?.drop());

  /** Records at their first delivery. */
  const first = (...offsets: number[]) => offsets.map((offset) => ({ offset, slot: 0, attempt: 1 }));

  const output = async (name: string): Promise<Head> => (await createdTopic(store, `${name}-${names}`)).head;

  const writes = ({ topicId }: Head, text: string): CommitTopic => ({
    topicId,
    decide: (view) => writeAfter(view.head, [frameOf(text)]),
  });

  const textsIn = async ({ topicId }: Head) => (await readAll(store, topicId)).map(textOf);

  async function shared() {
    names += 1;
    const topicId = await topicOf(store, `input-${names}`, 100);
    const subscription = await createdSubscription(store, `input-${names}`, topicId);
    const session = await openedSession(store);
    const { subscriptionId } = subscription;
    const progress = () => store.readProgress(subscriptionId);
    return { topicId, subscription, subscriptionId, session, progress };
  }

  test("settles in all claims with the records, and appends to every topic", async () => {
    const { subscription, subscriptionId, session, progress } = await shared();
    const [one, two] = [await output("one"), await output("two")];
    for (let block = 0; block < 3; block += 1) await cutBlock(store, subscription, session, 10);
    // The later topic is first, but locks are taken in the order of ids.
    const outcome = await store.commit({
      subscriptionId,
      session,
      records: first(25, 3, 11, 4),
      topics: [writes(two, "to two"), writes(one, "to one")],
    });
    expect(outcome).toEqual({ kind: "committed" });
    expect([await textsIn(one), await textsIn(two)]).toEqual([["to one"], ["to two"]]);
    expect(await progress()).toMatchObject({ cursor: 0, unsettled: 96 });
    const again = await store.commit({
      subscriptionId,
      session,
      records: first(3, 26),
      topics: [writes(one, "twice")],
    });
    expect(again).toEqual({ kind: "stale", offsets: [3] });
    expect(await store.commit({ subscriptionId, session, records: first(0, 1, 2, 5, 6, 7, 8, 9), topics: [] })).toEqual(
      {
        kind: "committed",
      },
    );
    expect(await progress()).toMatchObject({ cursor: 10 });
    expect(await textsIn(one)).toEqual(["to one"]);
  });

  test("refuses records of another session, and records at another attempt", async () => {
    const { subscription, subscriptionId, session, progress } = await shared();
    const out = await output("out");
    const { claimId } = await cutBlock(store, subscription, session, 10);
    const other = await openedSession(store);
    await cutBlock(store, subscription, other, 10);
    const retry = { claimId, deliveries: 2, failures: 1, delayMs: 0, lane: undefined, reason: "bad" };
    await settleOn(store, subscriptionId, session, { retries: [{ ...retry, ...range(3) }] });
    const commit = (records: ReturnType<typeof first>) =>
      store.commit({ subscriptionId, session, records, topics: [writes(out, "done")] });
    expect(await commit(first(0, 15, 50))).toEqual({ kind: "stale", offsets: [15, 50] });
    for (const attempt of [1, 2, 4]) {
      const records = [...first(1), { offset: 3, slot: 0, attempt }];
      expect(await commit(records)).toEqual({ kind: "stale", offsets: [3] });
    }
    expect(await commit([{ offset: 1, slot: 0, attempt: 2 }])).toEqual({ kind: "stale", offsets: [1] });
    expect(await textsIn(out)).toEqual([]);
    expect(await commit([...first(0, 1, 2), { offset: 3, slot: 0, attempt: 3 }])).toEqual({
      kind: "committed",
    });
    expect(await progress()).toMatchObject({ cursor: 4, retries: 0 });
    expect(await textsIn(out)).toEqual(["done"]);
  });

  test("refuses every attempt before a seek, and accepts the higher ones after it", async () => {
    const { subscription, subscriptionId, session } = await shared();
    const { claimId } = await cutBlock(store, subscription, session, 10);
    const retry = { claimId, failures: 1, delayMs: 0, lane: undefined, reason: "bad" };
    await settleOn(store, subscriptionId, session, {
      settled: [{ claimId, ranges: [range(0)] }],
      retries: [
        { ...retry, ...range(3), deliveries: 40 },
        { ...retry, ...range(4), deliveries: 0 },
      ],
    });
    const commit = (offset: number, attempt: number) =>
      store.commit({ subscriptionId, session, records: [{ offset, slot: 0, attempt }], topics: [] });
    expect(await commit(4, 2)).toEqual({ kind: "stale", offsets: [4] });
    expect(await commit(4, 1)).toEqual({ kind: "committed" });
    const sought = await store.seekSubscription({ subscriptionId, epoch: 7, offset: 0 });
    expect(sought?.attemptsBefore).toBe(41);
    await cutBlock(store, sought ?? subscription, session, 10);
    for (const attempt of [1, 2, 41, 43]) {
      expect(await commit(3, attempt)).toEqual({ kind: "stale", offsets: [3] });
      expect(await commit(0, attempt)).toEqual({ kind: "stale", offsets: [0] });
    }
    expect(await commit(3, 42)).toEqual({ kind: "committed" });
    expect(await commit(0, 42)).toEqual({ kind: "committed" });
    expect((await store.seekSubscription({ subscriptionId, epoch: 7, offset: 0 }))?.attemptsBefore).toBe(
      41 + 1 + subscription.policy.attemptsMax,
    );
  });

  // It writes without the store, which only Postgres allows.
  const onServer = kind === "postgres" ? test : () => undefined;
  onServer("attempts stay in 32 bits, however often a subscription is sought", async () => {
    const { subscriptionId } = await shared();
    if (database.connection.kind !== "postgres") throw new Error("It has no URL");
    const set = `update millrace.subscriptions set attempts_before = 1999999999 where subscription_id = ${subscriptionId}`;
    await runOn(database.connection.url, set);
    for (let seeks = 0; seeks < 2; seeks += 1) {
      expect((await store.seekSubscription({ subscriptionId, epoch: 7, offset: 0 }))?.attemptsBefore).toBe(
        2_000_000_000,
      );
    }
  });

  test("settles in the slot of the key, and in no other", async () => {
    names += 1;
    const topicId = await topicOf(store, `keyed-${names}`, 10);
    const subscription = await createdSubscription(store, `keyed-${names}`, topicId, { sharing: "keyed" });
    const { subscriptionId, generation } = subscription;
    const session = await openedSession(store);
    const claims = await takeAll(store, subscription, session);
    const inSlot = (slot: number) => claims.find((claim) => claim.slot === slot) as StoredClaim;
    await store.releaseClaims({ subscriptionId, session, claimIds: [inSlot(31).claimId] });
    const commit = (slot: number, ...offsets: number[]) =>
      store.commit({
        subscriptionId,
        session,
        records: offsets.map((offset) => ({ offset, slot, attempt: 1 })),
        topics: [],
      });
    expect(await commit(31, 4)).toEqual({ kind: "stale", offsets: [4] });
    expect(await commit(5, 4, 0)).toEqual({ kind: "committed" });
    expect(await commit(5, 4)).toEqual({ kind: "stale", offsets: [4] });
    const ids = [inSlot(5).claimId, inSlot(6).claimId];
    await store.releaseClaims({ subscriptionId, session, claimIds: ids });
    const taken = await store.takeClaims({ subscriptionId, session, generation, claimIds: ids });
    expect(taken.map(({ todo }) => todo)).toEqual([[range(1, 4), range(5, Infinity)], [range(0, Infinity)]]);
  });

  test("writes nothing when a topic was deleted or a decision throws, and rethrows that error", async () => {
    const { subscription, subscriptionId, session, progress } = await shared();
    const [out, gone] = [await output("kept"), await output("gone")];
    await store.deleteTopic(gone.topicId);
    await cutBlock(store, subscription, session, 10);
    const claim = { subscriptionId, session, records: first(0) };
    const outcome = await store.commit({ ...claim, topics: [writes(out, "never"), writes(gone, "never")] });
    expect(outcome).toEqual({ kind: "topic-gone", topicId: gone.topicId });
    const refusal = new Error("refused");
    const refuses: CommitTopic = {
      topicId: (await output("refusing")).topicId,
      decide: () => {
        throw refusal;
      },
    };
    await expect(store.commit({ ...claim, topics: [writes(out, "never"), refuses] })).rejects.toBe(refusal);
    const late: CommitTopic = { topicId: out.topicId, decide: () => writeAfter(out, [frameOf("late")]) };
    expect(await store.commit({ ...claim, records: first(1), topics: [late] })).toEqual({ kind: "committed" });
    // A decision on another head than the locked one is a bug, and everything is rolled back.
    await expect(store.commit({ ...claim, topics: [late] })).rejects.toThrow("its head changed under its lock");
    expect(await progress()).toMatchObject({ cursor: 0, unsettled: 99 });
    expect(await textsIn(out)).toEqual(["late"]);
    expect((await headOf(store, out.topicId)).nextOffset).toBe(1);
  });
});
