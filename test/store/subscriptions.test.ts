import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { defaultDeliveryPolicy, keySlots } from "../../src/core/index.js";
import type { Store, StoredClaim } from "../../src/store/index.js";
import { createTestDatabase, databaseKinds, runOn, type TestDatabase } from "../support/database.js";
import {
  allWritten,
  createdSubscription,
  cutBlock,
  endedSession,
  frameAt,
  frameBytes,
  newSubscription,
  openedSession,
  range,
  settleOn,
  takeAll,
  topicOf,
} from "./subscription-writes.js";
import { append, createdTopic, headOf } from "./topic-writes.js";

const policy = { ackDeadlineMs: 1000, attemptsMax: 3, retryMinMs: 10, retryMaxMs: 2 ** 40, retryBacklog: 100_000 };

describe.each(databaseKinds)("Subscriptions on %s", (kind) => {
  let database: TestDatabase;
  let store: Store;
  let topics = 0;

  beforeAll(async () => {
    database = await createTestDatabase(kind);
    store = await database.openStore();
  });
  afterAll(() => database?.drop());

  const nextTopic = (records = 0): Promise<number> => topicOf(store, `topic-${++topics}`, records);

  const member = (session: number, consumers = 1, facts = "{}") => ({ session, consumers, facts });

  test("createSubscription(), stores its settings, makes free claims from its offset on, and takes each name once", async () => {
    const before = await store.now();
    const topicId = await nextTopic(3);
    const labels = new Map([["__proto__", "x"]]);
    const asked = newSubscription("created/shared", topicId, { policy, labels, fromOffset: 2 });
    const created = await store.createSubscription(asked);
    const { fromOffset: _, ...facts } = asked;
    expect(created).toMatchObject({ ...facts, topic: `topic-${topics}`, isPaused: false });
    if (typeof created === "string") throw new Error(created);
    expect(created.createTimeMicros).toBeGreaterThanOrEqual(before);
    expect(await store.findSubscription("created/shared")).toEqual(created);
    expect(await store.createSubscription(asked)).toBe("exists");

    const session = await openedSession(store);
    for (const [sharing, claims, claimKind] of [
      ["shared", 1, "rest"],
      ["exclusive", 1, "slot"],
      ["keyed", keySlots, "slot"],
    ] as const) {
      const name = `created/${sharing}/claims`;
      const subscription = await createdSubscription(store, name, topicId, { sharing, fromOffset: 2 });
      const sync = await store.syncSubscription(subscription.subscriptionId, member(session));
      const expected = Array.from({ length: claims }, (_slot, slot) => ({ kind: claimKind, slot, session: undefined }));
      expect(sync?.claims).toMatchObject(expected);
      expect(sync?.claims).toHaveLength(claims);
      expect(await store.readProgress(subscription.subscriptionId)).toMatchObject({ cursor: 2, unsettled: 1 });
    }
  });

  test("createSubscription(), refuses a topic that was deleted or has another epoch", async () => {
    const topicId = await nextTopic();
    expect(await store.createSubscription(newSubscription("never", topicId, { epoch: 8 }))).toBe("no-topic");
    await store.deleteTopic(topicId);
    expect(await store.createSubscription(newSubscription("never", topicId))).toBe("no-topic");
    expect(await store.findSubscription("never")).toBeUndefined();
  });

  test("listSubscriptions(), pages by name, within a prefix and a topic", async () => {
    const [one, other] = [await nextTopic(), await nextTopic()];
    for (const [name, topicId] of [
      ["list/b", one],
      ["list/a_", one],
      ["list/a.", other],
      ["list/a", other],
      ["listed", one],
    ] as const) {
      await createdSubscription(store, name, topicId);
    }
    const list = async (prefix: string, topic?: string, after = "", count = 100) =>
      (await store.listSubscriptions({ prefix, topic, after, count })).map(({ name }) => name);
    expect(await list("list")).toEqual(["list/a", "list/a.", "list/a_", "list/b", "listed"]);
    expect(await list("list/")).toEqual(["list/a", "list/a.", "list/a_", "list/b"]);
    expect(await list("list/a_")).toEqual(["list/a_"]);
    expect(await list("list/", undefined, "list/a", 2)).toEqual(["list/a.", "list/a_"]);
    expect(await list("", `topic-${topics}`)).toEqual(["list/a", "list/a."]);
    expect(await list("list/", `topic-${topics - 1}`, "list/a_")).toEqual(["list/b"]);
    expect(await list("", "no-such-topic")).toEqual([]);
  });

  test("updateSubscription(), changes only what is given", async () => {
    const topicId = await nextTopic();
    const before = await createdSubscription(store, "updated", topicId, { policy, labels: new Map([["a", "b"]]) });
    const { subscriptionId } = before;
    const paused = await store.updateSubscription(subscriptionId, { isPaused: true });
    expect(paused).toEqual({ ...before, isPaused: true });
    const changed = await store.updateSubscription(subscriptionId, { policy: { retryMinMs: 0 }, labels: new Map() });
    expect(changed).toEqual({ ...before, isPaused: true, policy: { ...policy, retryMinMs: 0 }, labels: new Map() });
    expect(await store.updateSubscription(subscriptionId, { isPaused: false })).toMatchObject({ isPaused: false });
    expect(await store.updateSubscription(999_999, { isPaused: true })).toBeUndefined();
  });

  test("takeTicket(), returns a greater one each time", async () => {
    const { subscriptionId, ticket } = await createdSubscription(store, "tickets", await nextTopic());
    const tickets = await Promise.all(Array.from({ length: 3 }, () => store.takeTicket(subscriptionId)));
    expect(tickets.toSorted()).toEqual([ticket + 1, ticket + 2, ticket + 3]);
    expect(await store.findSubscription("tickets")).toMatchObject({ ticket: ticket + 3 });
    expect(await store.takeTicket(999_999)).toBeUndefined();
  });

  test("seekSubscription(), makes new free claims, and the holders of the old ones find them lost", async () => {
    const topicId = await nextTopic(10);
    const session = await openedSession(store);
    const before = await createdSubscription(store, "sought", topicId, { sharing: "exclusive" });
    const { subscriptionId } = before;
    const [claim] = (await takeAll(store, before, session)) as [StoredClaim];
    const failed = { deliveries: 1, failures: 1, lane: undefined, reason: "bad" };
    await settleOn(store, subscriptionId, session, {
      settled: [{ claimId: claim.claimId, ranges: [range(0, 5)] }],
      retries: [{ claimId: claim.claimId, ...range(6), delayMs: 0, ...failed }],
      parked: [{ claimId: claim.claimId, offset: 7, slot: 0, deliveries: 1, lane: undefined, reason: "bad" }],
    });
    const after = await store.seekSubscription({ subscriptionId, epoch: 7, offset: 3 });
    // Above the policy's attempts, since a settled record may have had all of them.
    const attemptsBefore = before.policy.attemptsMax + 1;
    expect(after).toEqual({ ...before, generation: before.generation + 1, attemptsBefore });
    const settled = [{ claimId: claim.claimId, ranges: [range(9)] }];
    expect(await settleOn(store, subscriptionId, session, { settled })).toEqual({
      ...allWritten,
      lostClaims: [claim.claimId],
    });
    expect(
      await store.takeClaims({ subscriptionId, session, generation: before.generation, claimIds: [claim.claimId] }),
    ).toEqual([]);
    const progress = await store.readProgress(subscriptionId);
    expect(progress).toMatchObject({ cursor: 3, unsettled: 7, retries: 0, parked: 1 });
    const [taken] = await takeAll(store, after ?? before, session);
    expect(taken).toMatchObject({ kind: "slot", todo: [range(3, Infinity)] });
    expect(taken?.claimId).not.toBe(claim.claimId);
    expect((await store.seekSubscription({ subscriptionId, epoch: 11, offset: 0 }))?.epoch).toBe(11);
    expect(await store.seekSubscription({ subscriptionId: 999_999, epoch: 7, offset: 0 })).toBeUndefined();
  });

  test("deleteSubscription() and deleteTopic(), leave nothing", async () => {
    for (const way of ["subscription", "topic"]) {
      const topicId = await nextTopic(10);
      const session = await openedSession(store);
      const subscription = await createdSubscription(store, `deleted/${way}`, topicId, { sharing: "keyed" });
      const { subscriptionId } = subscription;
      const [claim] = (await takeAll(store, subscription, session)) as [StoredClaim];
      const { claimId } = claim;
      await settleOn(store, subscriptionId, session, {
        retries: [{ claimId, ...range(6), deliveries: 1, failures: 0, delayMs: 0, lane: 0, reason: undefined }],
        parked: [{ claimId, offset: 7, slot: 0, deliveries: 1, lane: 0, reason: "bad" }],
      });
      if (way === "topic") expect(await store.deleteTopic(topicId)).toBe(true);
      else {
        expect(await store.deleteSubscription(subscriptionId)).toBe(true);
        expect(await store.deleteSubscription(subscriptionId)).toBe(false);
      }
      expect(await store.findSubscription(`deleted/${way}`)).toBeUndefined();
      expect(await store.readProgress(subscriptionId)).toBeUndefined();
      expect(await store.syncSubscription(subscriptionId, member(session))).toBeUndefined();
      expect(await store.readRetries(subscriptionId, [claimId])).toEqual([]);
      expect(await store.takeClaims({ subscriptionId, session, generation: 1, claimIds: [claimId] })).toEqual([]);
      const all = { subscriptionId, from: 0, until: Infinity, count: 10, bytes: 1000 };
      expect(await store.listParked(all)).toEqual([]);
      const outcome = await settleOn(store, subscriptionId, session, { settled: [{ claimId, ranges: [range(0)] }] });
      expect(outcome.lostClaims).toEqual([claimId]);
    }
  });

  test("a session, exists until it is closed or ended, and may be renewed until then even if it expired", async () => {
    const session = await openedSession(store, 1);
    await store.openSession({ session: 2 ** 53 - 1, node: "far", leaseMs: 3600_000 });
    expect(await store.renewSession(session, 1)).toBe(true);
    expect(await endedSession(store)).toBe(1);
    expect(await store.endExpiredSessions()).toBe(0);
    expect(await store.renewSession(session, 1000)).toBe(false);
    expect(await store.renewSession(2 ** 53 - 1, 1000)).toBe(true);
    await store.closeSession(2 ** 53 - 1);
    expect(await store.renewSession(2 ** 53 - 1, 1000)).toBe(false);
  });

  test("syncSubscription(), lists others, and all claims except blocks of others, but no ended session", async () => {
    const subscription = await createdSubscription(store, "synced", await nextTopic(100));
    const { subscriptionId } = subscription;
    const [a, b, dead] = [await openedSession(store), await openedSession(store), await openedSession(store, 1)];
    await store.syncSubscription(subscriptionId, member(dead, 3));
    const blocks = [];
    for (const session of [a, b, dead]) blocks.push(await cutBlock(store, subscription, session, 10));
    expect((await store.syncSubscription(subscriptionId, member(a, 1, '{"a":"ü"}')))?.members).toHaveLength(2);
    await endedSession(store);
    const sync = await store.syncSubscription(subscriptionId, member(b, 2));
    expect(sync?.subscription).toEqual(subscription);
    expect(sync?.members).toEqual([member(a, 1, '{"a":"ü"}'), member(b, 2)]);
    const [, own, free] = blocks.map(({ claimId }) => claimId);
    expect(sync?.claims.slice(1)).toEqual([
      { claimId: own, kind: "block", slot: 0, session: b, firstOffset: 10 },
      { claimId: free, kind: "block", slot: 0, session: undefined, firstOffset: 20 },
    ]);
    expect(sync?.claims[0]).toMatchObject({ kind: "rest", session: undefined });
    // Other sessions see what a member changed.
    await store.syncSubscription(subscriptionId, member(a, 5));
    expect((await store.readProgress(subscriptionId))?.members).toEqual([member(a, 5), member(b, 2)]);
    await store.leaveSubscription(subscriptionId, a);
    expect((await store.syncSubscription(subscriptionId, member(b, 2)))?.members).toEqual([member(b, 2)]);
    await store.closeSession(b);
    const closed = await store.syncSubscription(subscriptionId, member(b, 2));
    expect(closed?.members).toEqual([]);
    expect(closed?.claims.find(({ claimId }) => claimId === own)?.session).toBeUndefined();
    expect(await store.syncSubscription(999_999, member(a))).toBeUndefined();
  });

  // It writes without the store, which only Postgres allows.
  const onServer = kind === "postgres" ? test : () => undefined;
  onServer("syncSubscription(), tells at most 1000 claims, the oldest first", async () => {
    const { subscriptionId } = await createdSubscription(store, "many", await nextTopic(1));
    const { connection } = database;
    if (connection.kind !== "postgres") throw new Error("It has no URL");
    const blocks = `select ${subscriptionId}, 'block', '{[1,2)}' from generate_series(1, 1100)`;
    await runOn(connection.url, `insert into millrace.claims (subscription_id, kind, todo) ${blocks}`);
    const claims = (await store.syncSubscription(subscriptionId, member(await openedSession(store))))?.claims ?? [];
    expect(claims).toHaveLength(1000);
    expect((claims.at(-1)?.claimId ?? 0) - (claims[0]?.claimId ?? 0)).toBe(999);
  });

  test("readProgress(), returns cursor, bytes, time and unsettled records, at the end and where records were trimmed", async () => {
    const topicId = await nextTopic(20);
    const subscription = await createdSubscription(store, "progress", topicId, { fromOffset: 2 });
    const { subscriptionId } = subscription;
    const session = await openedSession(store);
    const progress = () => store.readProgress(subscriptionId);
    const before = await store.now();
    const first = await progress();
    expect(first).toMatchObject({
      subscription,
      head: await headOf(store, topicId),
      retries: 0,
      parked: 0,
      members: [],
    });
    expect(first).toMatchObject({ cursor: 2, unsettled: 18, cursorBytes: 2 * frameBytes });
    expect(first?.cursorFrame).toEqual(frameAt(2));
    expect(first?.nowMicros).toBeGreaterThanOrEqual(before);

    const one = await cutBlock(store, subscription, session, 5);
    const two = await cutBlock(store, subscription, session, 5);
    await settleOn(store, subscriptionId, session, {
      settled: [{ claimId: one.claimId, ranges: [range(2, 4), range(5)] }],
      retries: [
        { claimId: one.claimId, ...range(4), deliveries: 1, failures: 0, delayMs: 0, lane: 1, reason: undefined },
      ],
      parked: [{ claimId: one.claimId, offset: 6, slot: 0, deliveries: 1, lane: 1, reason: "bad" }],
    });
    expect(await progress()).toMatchObject({
      cursor: 4,
      unsettled: 14,
      cursorBytes: 4 * frameBytes,
      retries: 1,
      parked: 1,
    });
    // A redriven record is unsettled again; the cursor does not move.
    await settleOn(store, subscriptionId, session, { settled: [{ claimId: one.claimId, ranges: [range(4)] }] });
    expect(await progress()).toMatchObject({ cursor: 7, unsettled: 13 });
    await store.redriveParked({ subscriptionId, offsets: [6], delayMs: 0, stepMicros: 0 });
    expect(await progress()).toMatchObject({ cursor: 7, unsettled: 13 });

    await store.trimTopic(topicId, 9);
    const fromTrim = { cursor: 9, unsettled: 11, cursorBytes: 9 * frameBytes };
    expect(await progress()).toMatchObject(fromTrim);
    // Settled offsets above the trim are skipped too.
    await settleOn(store, subscriptionId, session, { settled: [{ claimId: two.claimId, ranges: [range(9, 11)] }] });
    expect(await progress()).toMatchObject({ ...fromTrim, cursor: 11, unsettled: 9, cursorBytes: 11 * frameBytes });
    await store.trimTopic(topicId, 20);
    expect(await progress()).toMatchObject({ cursor: 20, unsettled: 0, cursorBytes: 20 * frameBytes });

    await store.seekSubscription({ subscriptionId, epoch: 7, offset: 20 });
    const end = await progress();
    expect(end).toMatchObject({ cursor: 20, unsettled: 0, cursorBytes: 20 * frameBytes });
    expect(end?.cursorFrame).toBeUndefined();
    await append(store, topicId, [frameAt(20)]);
    expect(await progress()).toMatchObject({ cursor: 20, unsettled: 1, cursorFrame: frameAt(20) });
    expect(await store.readProgress(999_999)).toBeUndefined();
  });

  test("readProgress() of a new topic, begins at 0", async () => {
    const { head } = await createdTopic(store, "nothing");
    const { subscriptionId } = await createdSubscription(store, "nothing", head.topicId, { sharing: "keyed" });
    expect(await store.readProgress(subscriptionId)).toMatchObject({ cursor: 0, unsettled: 0, cursorBytes: 0 });
  });

  test("the default policy, is stored unchanged", async () => {
    const { policy: kept } = await createdSubscription(store, "default", await nextTopic());
    expect(kept).toEqual(defaultDeliveryPolicy);
  });

  test("opening an embedded database ends the sessions of a killed process; on Postgres they may be other nodes'", async () => {
    const session = await openedSession(store);
    if (kind === "embedded") {
      await store.close();
      store = await database.openStore();
    } else await (await database.openStore()).close();
    expect(await store.renewSession(session, 60_000)).toBe(kind === "postgres");
  });
});
