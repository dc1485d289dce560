import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RangeSet } from "../../src/core/index.js";
import type { Store, StoredSubscription } from "../../src/store/index.js";
import { createTestDatabase, runOn, type TestDatabase } from "../support/database.js";
import { waitingRecords } from "../support/waiting-records.js";
import {
  allWritten,
  createdSubscription,
  cutBlock,
  openedSession,
  range,
  settleOn,
  takeAll,
  topicOf,
} from "./subscription-writes.js";
import { createdTopic, frameOf, headOf, writeAfter } from "./topic-writes.js";

describe("Subscriptions at several nodes on one Postgres", () => {
  let database: TestDatabase;
  let url: string;
  let stores: readonly [Store, Store];
  let names = 0;

  beforeAll(async () => {
    database = await createTestDatabase("postgres");
    stores = [await database.openStore({ connections: 6 }), await database.openStore({ connections: 6 })];
    if (database.connection.kind === "postgres") url = database.connection.url;
  });
  afterAll(() => database?.drop());

  async function subscribed(sharing: "shared" | "exclusive" | "keyed", records = 50) {
    names += 1;
    const topicId = await topicOf(stores[0], `raced-${names}`, records);
    const subscription = await createdSubscription(stores[0], `raced-${names}`, topicId, { sharing });
    return { topicId, subscription, subscriptionId: subscription.subscriptionId };
  }

  /** Locks all claims of a subscription while `body` sends its statements; releases them once all of these wait. */
  async function whileLocked<Results extends readonly unknown[]>(
    { subscriptionId }: StoredSubscription,
    sends: { readonly [Index in keyof Results]: () => Promise<Results[Index]> },
  ): Promise<Results> {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      await client.query("begin");
      await client.query("select from millrace.claims where subscription_id = $1 for update", [subscriptionId]);
      const results: Promise<unknown>[] = [];
      for (const send of sends) {
        results.push(send());
        for (let waiting = 0; waiting < results.length; ) {
          const { rows } = await runOn(
            url,
            "select count(*)::int from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
          );
          waiting = rows[0].count;
        }
      }
      await client.query("commit");
      return (await Promise.all(results)) as unknown as Results;
    } finally {
      await client.end();
    }
  }

  const claimsOf = async ({ subscriptionId }: StoredSubscription) =>
    (await stores[0].syncSubscription(subscriptionId, { session: 0, consumers: 0, facts: "" }))?.claims ?? [];

  test("claimBlock() on both at once, cuts blocks without overlap or gap", async () => {
    const { subscriptionId, subscription } = await subscribed("shared");
    const cut = new RangeSet();
    let count = 0;
    await Promise.all(
      stores.flatMap((store) =>
        Array.from({ length: 3 }, async () => {
          const session = await openedSession(store);
          const { generation } = subscription;
          const request = { subscriptionId, session, generation, count: 7, fromOffset: 0, untilOffset: 400 };
          for (;;) {
            const block = await store.claimBlock(request);
            if (block === undefined) return;
            for (const { firstOffset, nextOffset } of block.todo) {
              cut.add(firstOffset, nextOffset);
              count += nextOffset - firstOffset;
            }
          }
        }),
      ),
    );
    expect([...cut]).toEqual([range(0, 400)]);
    expect(count).toBe(400);
  });

  test("takeClaims() on both at once, gives each claim to one", async () => {
    const { subscription, subscriptionId } = await subscribed("keyed");
    const sessions = [await openedSession(stores[0]), await openedSession(stores[1])] as const;
    const claimIds = (await claimsOf(subscription)).map(({ claimId }) => claimId);
    const take = (node: 0 | 1, ids: readonly number[]) => () =>
      stores[node].takeClaims({
        subscriptionId,
        session: sessions[node],
        generation: subscription.generation,
        claimIds: ids,
      });
    const [first, second] = await whileLocked(subscription, [take(0, claimIds), take(1, claimIds.toReversed())]);
    expect(first.map(({ claimId }) => claimId)).toEqual(claimIds);
    expect(second).toEqual([]);
  });

  test("takeClaims(), does not take from a session that began while it waited", async () => {
    const { subscription, subscriptionId } = await subscribed("exclusive");
    const claimIds = (await claimsOf(subscription)).map(({ claimId }) => claimId);
    const slow = await openedSession(stores[0]);
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      await client.query("begin");
      await client.query(
        "insert into millrace.sessions values (700001, 'young', clock_timestamp() + interval '1 hour')",
      );
      await client.query("update millrace.claims set session = 700001 where subscription_id = $1", [subscriptionId]);
      const taking = stores[0].takeClaims({
        subscriptionId,
        session: slow,
        generation: subscription.generation,
        claimIds,
      });
      for (let waiting = 0; waiting === 0; ) {
        const { rows } = await runOn(url, "select count(*)::int from pg_stat_activity where wait_event_type = 'Lock'");
        waiting = rows[0].count;
      }
      await client.query("commit");
      expect(await taking).toEqual([]);
    } finally {
      await client.end();
    }
    expect((await claimsOf(subscription))[0]?.session).toBe(700_001);
  });

  test("settles that wait for each other's claims are applied one after the other", async () => {
    const { subscription, subscriptionId } = await subscribed("exclusive");
    const session = await openedSession(stores[0]);
    const [claim] = await takeAll(stores[0], subscription, session);
    const claimId = claim?.claimId ?? 0;
    const settle = (node: 0 | 1, from: number, until: number) => () =>
      settleOn(stores[node], subscriptionId, session, { settled: [{ claimId, ranges: [range(from, until)] }] });
    const outcomes = await whileLocked(subscription, [settle(0, 0, 5), settle(1, 5, 9), settle(0, 20, 30)]);
    expect(outcomes).toEqual([allWritten, allWritten, allWritten]);
    const progress = await stores[0].readProgress(subscriptionId);
    expect(progress).toMatchObject({ cursor: 9, unsettled: 50 - 9 - 10 });
  });

  test("the last two settles of a block run one after the other, and the block is deleted", async () => {
    const { subscription, subscriptionId } = await subscribed("shared");
    const session = await openedSession(stores[0]);
    const { claimId } = await cutBlock(stores[0], subscription, session, 10);
    const settle = (node: 0 | 1, from: number, until: number) => () =>
      settleOn(stores[node], subscriptionId, session, { settled: [{ claimId, ranges: [range(from, until)] }] });
    await whileLocked(subscription, [settle(0, 0, 5), settle(1, 5, 10)]);
    expect((await claimsOf(subscription)).map(({ kind }) => kind)).toEqual(["rest"]);
  });

  test("a seek waits for a block that is being cut, and leaves no earlier claim", async () => {
    const { subscription, subscriptionId } = await subscribed("shared");
    const session = await openedSession(stores[0]);
    const cut = () => cutBlock(stores[0], subscription, session, 10);
    const [block] = await whileLocked(subscription, [
      cut,
      () => stores[1].seekSubscription({ subscriptionId, epoch: 7, offset: 3 }),
    ]);
    expect(block.todo).toEqual([range(0, 10)]);
    const left = await claimsOf(subscription);
    expect(left.map(({ kind }) => kind)).toEqual(["rest"]);
    expect(await stores[0].readProgress(subscriptionId)).toMatchObject({ cursor: 3, unsettled: 47 });
  });

  test("a record that a commit settles meanwhile gets no redelivery", async () => {
    const { subscription, subscriptionId } = await subscribed("exclusive");
    const session = await openedSession(stores[0]);
    const [claim] = await takeAll(stores[0], subscription, session);
    const claimId = claim?.claimId ?? 0;
    const commit = (offset: number) => () =>
      stores[1].commit({ subscriptionId, session, records: [{ offset, slot: 0, attempt: 1 }], topics: [] });
    const note = (offset: number) => () =>
      settleOn(stores[0], subscriptionId, session, {
        retries: [
          { claimId, ...range(offset), deliveries: 1, failures: 1, delayMs: 0, lane: undefined, reason: "bad" },
        ],
      });
    const [committed, noted] = await whileLocked(subscription, [commit(3), note(3)]);
    expect(committed).toEqual({ kind: "committed" });
    expect(noted).toEqual({ ...allWritten, settledElsewhere: [range(3)] });
    const [notedFirst, stale] = await whileLocked(subscription, [note(4), commit(4)]);
    expect(notedFirst).toEqual(allWritten);
    expect(stale).toEqual({ kind: "stale", offsets: [4] });
    expect(await stores[0].readProgress(subscriptionId)).toMatchObject({ retries: 1 });
  });

  test("redeliveries are recorded only for what a concurrent commit or seek leaves", async () => {
    const { subscription, subscriptionId } = await subscribed("exclusive");
    const session = await openedSession(stores[0]);
    const [claim] = await takeAll(stores[0], subscription, session);
    const claimId = claim?.claimId ?? 0;
    const facts = { claimId, failures: 1, delayMs: 0, lane: undefined, reason: "bad" };
    const note = (deliveries: number) => () =>
      settleOn(stores[0], subscriptionId, session, {
        settled: [{ claimId, ranges: [range(0, 5)] }],
        settledRetries: [{ claimId, ranges: [range(2)] }],
        retries: [{ ...facts, ...range(5, 15), deliveries }],
      });
    const retry = { ...facts, ...range(8), deliveries: 3 };
    await settleOn(stores[0], subscriptionId, session, { retries: [{ ...retry, ...range(2) }, retry] });
    // It deletes rows that the settle's snapshot still shows.
    const commit = () => {
      const records = [2, 8].map((offset) => ({ offset, slot: 0, attempt: 4 }));
      return stores[1].commit({ subscriptionId, session, records, topics: [] });
    };
    const outcomes = await whileLocked(subscription, [commit, note(4)]);
    expect(outcomes).toEqual([{ kind: "committed" }, { ...allWritten, settledElsewhere: [range(8)] }]);
    const offsets = [5, 6, 7, 9, 10, 11, 12, 13, 14];
    expect((await waitingRecords(stores[0], subscriptionId, [claimId])).map(({ offset }) => offset)).toEqual(offsets);
    expect(await stores[0].readProgress(subscriptionId)).toMatchObject({ cursor: 5, unsettled: 44, retries: 9 });

    const [sought, lost] = await whileLocked(subscription, [
      () => stores[1].seekSubscription({ subscriptionId, epoch: 7, offset: 3 }),
      note(5),
    ]);
    expect(sought?.generation).toBe(subscription.generation + 1);
    expect(lost).toEqual({ ...allWritten, lostClaims: [claimId] });
    expect(await stores[0].readProgress(subscriptionId)).toMatchObject({ cursor: 3, retries: 0 });
  });

  test("a commit that waits for a seek is stale, even if its session takes the new claims at once", async () => {
    const { subscription, subscriptionId } = await subscribed("exclusive");
    const session = await openedSession(stores[0]);
    await takeAll(stores[0], subscription, session);
    const commit = (attempt: number) => () =>
      stores[1].commit({ subscriptionId, session, records: [{ offset: 3, slot: 0, attempt }], topics: [] });
    const seek = () => stores[0].seekSubscription({ subscriptionId, epoch: 7, offset: 0 });
    const stale = { kind: "stale", offsets: [3] };
    const [sought, waited] = await whileLocked(subscription, [seek, commit(1)]);
    expect(waited).toEqual(stale);
    await takeAll(stores[0], sought ?? subscription, session);
    expect(await commit(1)()).toEqual(stale);
    // If it gets the lock before the seek, it precedes the seek.
    const [committed] = await whileLocked(subscription, [commit((sought?.attemptsBefore ?? 0) + 1), seek]);
    expect(committed).toEqual({ kind: "committed" });
  });

  test("of two concurrent writes of one redelivery, the one with more deliveries counts", async () => {
    const { subscription, subscriptionId } = await subscribed("exclusive");
    const session = await openedSession(stores[0]);
    const [claim] = await takeAll(stores[0], subscription, session);
    const claimId = claim?.claimId ?? 0;
    const note = (node: 0 | 1, deliveries: number) => () =>
      settleOn(stores[node], subscriptionId, session, {
        retries: [
          {
            claimId,
            ...range(1),
            deliveries,
            failures: deliveries,
            delayMs: 0,
            lane: undefined,
            reason: `${deliveries}`,
          },
        ],
      });
    // The second one's snapshot does not show the row that the first inserts.
    expect(await whileLocked(subscription, [note(0, 1), note(1, 2)])).toEqual([allWritten, allWritten]);
    const parked = [{ claimId, offset: 1, deliveries: 3, slot: 0, lane: undefined, reason: "3" }];
    await settleOn(stores[0], subscriptionId, session, { parked });
    const request = { subscriptionId, from: 0, until: Infinity, count: 10, bytes: 1000 };
    expect(await stores[0].listParked(request)).toMatchObject([{ deliveries: 3, reasons: ["2", "3"] }]);
  });

  test("settles, commits and appends in any order never deadlock", async () => {
    const { subscription, subscriptionId, topicId } = await subscribed("keyed", 200);
    const out = (await createdTopic(stores[0], `circle-${names}`)).head.topicId;
    const session = await openedSession(stores[0]);
    const claims = await takeAll(stores[0], subscription, session);
    const slots = claims.map(({ claimId, slot }) => ({ claimId, slot }));
    const decide = {
      decide: (view: { head: Parameters<typeof writeAfter>[0] }) => writeAfter(view.head, [frameOf("x")]),
    };
    let committed = 0;
    const work = async (store: Store, turn: number) => {
      for (let offset = turn; offset < 40; offset += 4) {
        // Each in another order.
        const ordered = offset % 2 === 0 ? slots : slots.toReversed();
        const settled = ordered.map(({ claimId }) => ({ claimId, ranges: [range(offset + 100)] }));
        const retries = ordered.map(({ claimId }, index) => ({
          claimId,
          ...range(150 + index),
          deliveries: 1,
          failures: 1,
          delayMs: 0,
          lane: 0,
          reason: "bad",
        }));
        await settleOn(store, subscriptionId, session, { settled, retries: offset % 3 === 0 ? retries : [] });
        const topics = [
          { topicId: out, ...decide },
          { topicId, ...decide },
        ];
        const records = ordered.slice(0, 8).map(({ slot }) => ({ offset, slot, attempt: 1 }));
        const outcome = await store.commit({
          subscriptionId,
          session,
          records,
          topics: offset % 2 === 0 ? topics : topics.toReversed(),
        });
        if (outcome.kind === "committed") committed += 1;
        await store.appendLocked({ topicId, producerIds: [], decide: decide.decide });
      }
    };
    await Promise.all([0, 1, 2, 3].map((turn) => work(stores[turn % 2] as Store, turn)));
    expect(committed).toBe(40);
    expect((await headOf(stores[0], out)).nextOffset).toBe(40);
    expect((await headOf(stores[0], topicId)).nextOffset).toBe(200 + 80);
  });

  test("a topic that is deleted while its subscription is in use leaves nothing behind", async () => {
    const { subscription, subscriptionId, topicId } = await subscribed("shared");
    const session = await openedSession(stores[0]);
    const { claimId } = await cutBlock(stores[0], subscription, session, 10);
    const parked = [{ claimId, offset: 1, deliveries: 1, slot: 0, lane: undefined, reason: "bad" }];
    const [, outcome, deleted] = await whileLocked(subscription, [
      () => cutBlock(stores[0], subscription, session, 10),
      () => settleOn(stores[1], subscriptionId, session, { parked }),
      () => stores[1].deleteTopic(topicId),
    ]);
    // In either order.
    expect([[], [claimId]]).toContainEqual(outcome.lostClaims);
    expect(deleted).toBe(true);
    for (const table of ["claims", "retries", "parked", "members"]) {
      const { rows } = await runOn(
        url,
        `select count(*)::int from millrace.${table} where subscription_id = ${subscriptionId}`,
      );
      expect({ table, ...rows[0] }).toEqual({ table, count: 0 });
    }
  });
});
