import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { OffsetRange } from "../../../src/core/index.js";
import type { FollowMessage } from "../../../src/engine/index.js";
import { StoreUnavailableError, type Store, type StoredSubscription } from "../../../src/store/index.js";
import { createTestDatabase, databaseKinds, type TestDatabase } from "../../support/database.js";
import { offsetsIn, recordsIn } from "../../support/open-engine.js";
import {
  type ControlPlane,
  createTopic,
  holdAll,
  openControlPlane,
  recordsOf,
  subscriptionOf,
} from "../control-plane.js";

const offsets = (firstOffset: number, nextOffset = firstOffset + 1): OffsetRange => ({ firstOffset, nextOffset });
const first = (...range: Parameters<typeof offsets>) => ({ range: offsets(...range), attempt: 1 });
const output = (topic: string, texts: readonly string[], more: { expectedOffset?: number; epoch?: number } = {}) => ({
  topic,
  batch: recordsOf(texts.map((text) => ({ text, key: text }))),
  expectedOffset: undefined,
  epoch: 0,
  ...more,
});

describe.each(databaseKinds)("Commit on %s", (kind) => {
  let database: TestDatabase;
  let store: Store;
  let plane: ControlPlane;
  let topics = 0;

  beforeAll(async () => {
    database = await createTestDatabase(kind);
    store = await database.openStore();
    plane = openControlPlane(store);
  });
  afterAll(async () => {
    await plane.close();
    await database.drop();
  });

  /** A subscription of four records, all held by one session. */
  async function hold(sharing: "shared" | "keyed" | "exclusive" = "shared") {
    const name = `in-${topics++}`;
    await createTopic(store, name);
    await plane.append(
      name,
      ["a", "b", "c", "d"].map((key) => ({ key })),
    );
    const subscription = await plane.subscriptions.create(subscriptionOf(name, name, { sharing }));
    const held = await holdAll(store, subscription, 4);
    return { subscription, ...held, commit: { subscription: name, session: held.session } };
  }

  async function unsettled({ subscriptionId }: StoredSubscription): Promise<number> {
    return (await store.readProgress(subscriptionId))!.unsettled;
  }

  async function nextOf(topic: string): Promise<number | undefined> {
    return (await store.findTopic(topic))?.head.nextOffset;
  }

  it("acknowledges and appends to two topics in one transaction, and notifies the node that delivered the records", async () => {
    const { subscription, session, commit } = await hold();
    await plane.append("two", [{ text: "before" }]);
    const done = await plane.commit({
      ...commit,
      acknowledge: [first(2), first(0, 2)],
      append: [output("two", ["x", "y"], { expectedOffset: 1 }), output("one", ["z"])],
    });
    expect(done).toMatchObject([
      { topic: "two", firstOffset: 1, nextOffset: 3 },
      { topic: "one", firstOffset: 0, nextOffset: 1 },
    ]);
    expect(done[0]?.epoch).toBe((await store.findTopic("two"))?.head.epoch);
    expect(await unsettled(subscription)).toBe(1);
    expect(plane.told.at(-1)).toBe(`settled ${subscription.subscriptionId} ${session}: 0-2@1`);
    // This node's appender had an outdated view: it decides again, and no offset is skipped or used twice.
    expect(await plane.append("two", [{ text: "after" }])).toBe(4);
  });

  it("only acknowledges when there is nothing to append", async () => {
    const { subscription, commit } = await hold("exclusive");
    expect(await plane.commit({ ...commit, acknowledge: [first(0, 4)] })).toEqual([]);
    expect(await unsettled(subscription)).toBe(0);
  });

  it("shows followers what it committed, in order with concurrent publishes", async () => {
    const { commit } = await hold();
    await plane.append("followed", [{ text: "0" }]);
    const follower = plane.follow("followed");
    const seen: string[] = [];
    const see = async (texts: number) => {
      while (seen.length < texts) {
        const { value } = await follower.next();
        if (value?.kind !== "page") continue;
        expect(offsetsIn(value.runs)[0]).toBe(seen.length);
        for (const { body } of recordsIn(value.runs)) {
          seen.push(body?.$case === "text" ? body.value : "");
        }
      }
    };
    await see(1);
    await plane.append("followed", [{ text: "1" }]);
    await see(2);
    await plane.commit({ ...commit, acknowledge: [first(0)], append: [output("followed", ["2", "3"])] });
    await see(4);
    await plane.append("followed", [{ text: "4" }]);
    await plane.commit({ ...commit, acknowledge: [first(1)], append: [output("followed", ["5"])] });
    await see(6);
    expect(seen).toEqual(["0", "1", "2", "3", "4", "5"]);
    await follower.return();
  });

  it("keeps the state of keyed topics", async () => {
    const { commit } = await hold();
    await createTopic(store, "keyed-out", true);
    await plane.commit({ ...commit, acknowledge: [first(0)], append: [output("keyed-out", ["k", "l", "k"])] });
    const { topicId } = (await store.findTopic("keyed-out"))!.head;
    const state = await store.readState({ topicId, keys: ["k", "l"], bytes: 1000 });
    expect(state?.records).toBe(2);
    expect(offsetsIn([state!.frames!])).toEqual([2, 1]);
  });

  it.each(["offset-mismatch", "topic-closed", "epoch-mismatch", "invalid-argument"])(
    "acknowledges nothing when an output is refused: %s",
    async (code) => {
      const { subscription, commit } = await hold();
      const [good, bad] = [`good-${code}`, `bad-${code}`];
      await createTopic(store, good);
      await createTopic(store, bad);
      await plane.append(bad, [{}]);
      const { topicId } = (await store.findTopic(bad))!.head;
      // Without this node's knowledge.
      if (code === "topic-closed") await store.closeTopic(topicId);
      if (code === "invalid-argument") {
        await store.updateTopic(topicId, { limits: { batchRecords: 1 } });
        (await plane.cache.acquireFresh(bad)).lease.release();
      }
      const more = { "offset-mismatch": { expectedOffset: 2 }, "epoch-mismatch": { epoch: 8 } }[code] ?? {};
      const refused = plane.commit({
        ...commit,
        acknowledge: [first(0)],
        append: [output(good, ["x"]), output(bad, ["x", "y"], more)],
      });
      await expect(refused).rejects.toMatchObject({
        code,
        ...(code === "offset-mismatch" && { metadata: { topic: bad, next_offset: "1" } }),
        ...(code === "invalid-argument" && { violations: [{ field: "append[1].records" }] }),
      });
      expect(await unsettled(subscription)).toBe(4);
      expect([await nextOf(good), await nextOf(bad)]).toEqual([0, 1]);
      expect(await plane.commit({ ...commit, acknowledge: [first(0)], append: [output(good, ["x"])] })).toMatchObject([
        { firstOffset: 0 },
      ]);
    },
  );

  it("is stale when all or some of it is settled, from another session, and after a seek", async () => {
    const { commit } = await hold();
    await plane.commit({ ...commit, acknowledge: [first(1)], append: [output("twice", ["x"])] });
    const again = (acknowledge: readonly ReturnType<typeof first>[], session = commit.session) =>
      plane.commit({ ...commit, session, acknowledge, append: [output("twice", ["x"])] });
    const stale = (named: string) => ({
      code: "stale-delivery",
      metadata: { subscription: commit.subscription, offsets: named },
    });
    await expect(again([first(1)])).rejects.toMatchObject(stale("1"));
    await expect(again([first(0, 4)])).rejects.toMatchObject(stale("1"));
    await expect(again([first(2, 4), first(0)], 12_345)).rejects.toMatchObject(stale("0,2-3"));
    await plane.subscriptions.seek(commit.subscription, { at: "earliest" });
    await expect(again([first(0)])).rejects.toMatchObject(stale("0"));
    expect(await nextOf("twice")).toBe(1);
  });

  it("is stale with the attempt before, and with one that does not exist yet", async () => {
    const { subscription, session, claimId, commit } = await hold();
    const { subscriptionId } = subscription;
    const nothing = { settled: [], folds: true, settledRetries: [], parked: [] };
    const retry = { claimId, ...offsets(1), deliveries: 1, failures: 1, delayMs: 0, reason: "no", lane: undefined };
    await store.settle({ subscriptionId, session, ...nothing, retries: [retry] });
    for (const attempt of [1, 3]) {
      const acknowledge = [{ range: offsets(1), attempt }];
      await expect(plane.commit({ ...commit, acknowledge })).rejects.toMatchObject({ code: "stale-delivery" });
    }
    await plane.commit({ ...commit, acknowledge: [{ range: offsets(1), attempt: 2 }, first(0)] });
    expect(await unsettled(subscription)).toBe(2);
    await plane.commit({ ...commit, acknowledge: [{ range: offsets(2), attempt: 0 }] });
    expect(await unsettled(subscription)).toBe(1);
    expect(await store.readRetries(subscriptionId, [claimId])).toEqual([]);
  });

  it("finds records of a KEYED subscription in the slots of their keys", async () => {
    const { subscription, commit } = await hold("keyed");
    await plane.commit({ ...commit, acknowledge: [first(0, 4)] });
    await expect(plane.commit({ ...commit, acknowledge: [first(3)] })).rejects.toMatchObject({
      code: "stale-delivery",
      metadata: { offsets: "3" },
    });
    await expect(plane.commit({ ...commit, acknowledge: [first(3, 7)] })).rejects.toMatchObject({
      metadata: { offsets: "4-6" },
    });
    expect(plane.told).toContain(`settled ${subscription.subscriptionId} ${commit.session}: 0-3@1`);
  });

  it("appends to a new topic when an output's topic was deleted", async () => {
    const { commit } = await hold();
    await plane.append("reborn", [{}, {}]);
    await store.deleteTopic((await store.findTopic("reborn"))!.head.topicId);
    const [done] = await plane.commit({ ...commit, acknowledge: [first(0)], append: [output("reborn", ["x"])] });
    expect(done).toMatchObject({ topic: "reborn", firstOffset: 0 });
    expect(done?.epoch).toBe((await store.findTopic("reborn"))?.head.epoch);
  });

  it("refuses malformed commands, and names the field", async () => {
    const { commit } = await hold();
    const refused: [Parameters<ControlPlane["commit"]>[0], string][] = [
      [{ ...commit, subscription: "A" }, "subscription"],
      [commit, "acknowledge"],
      [{ ...commit, acknowledge: [first(0, 10_001)] }, "acknowledge"],
      [{ ...commit, acknowledge: [first(0, 2 ** 60)] }, "acknowledge"],
      [{ ...commit, acknowledge: [first(0), first(3, 3)] }, "acknowledge[1].offsets"],
      [{ ...commit, acknowledge: [first(1, 3), first(0, 1), first(2)] }, "acknowledge[2].offsets"],
      [{ ...commit, acknowledge: [{ range: offsets(0), attempt: -1 }] }, "acknowledge[0].attempt"],
      [{ ...commit, acknowledge: [first(0)], append: [output("A", ["x"])] }, "append[0].topic"],
      [
        { ...commit, acknowledge: [first(0)], append: [output("o", ["x"]), output("p", ["x"]), output("o", ["x"])] },
        "append[2].topic",
      ],
      [
        { ...commit, acknowledge: [first(0)], append: Array.from({ length: 101 }, (_, at) => output(`o${at}`, ["x"])) },
        "append",
      ],
    ];
    for (const [command, field] of refused) {
      await expect(plane.commit(command), field).rejects.toMatchObject({
        code: "invalid-argument",
        violations: [{ field }],
      });
    }
    await expect(plane.commit({ ...commit, subscription: "none", acknowledge: [first(0)] })).rejects.toMatchObject({
      code: "subscription-not-found",
    });
    expect(await nextOf("o")).toBe(undefined);
  });

  it("reports an unknown outcome, and still shows followers what was committed", async () => {
    const { commit } = await hold();
    const deaf = openControlPlane({
      ...store,
      async commit(...call) {
        await store.commit(...call);
        throw new StoreUnavailableError("the connection broke", { outcomeUnknown: true });
      },
    });
    await deaf.append("deaf", [{ text: "0" }]);
    const follower = deaf.follow("deaf");
    const until = async (kind: FollowMessage["kind"]) => {
      for (;;) {
        const { done, value } = await follower.next();
        if (done) throw new Error("The follow has ended");
        if (value.kind === kind) return value;
      }
    };
    await until("caught-up");
    const lost = deaf.commit({ ...commit, acknowledge: [first(0)], append: [output("deaf", ["1"])] });
    await expect(lost).rejects.toMatchObject({
      code: "database-unavailable",
      message: expect.stringContaining("Do not repeat the work"),
      metadata: { outcome: "unknown" },
    });
    expect(await until("page")).toMatchObject({ next: { offset: 2 } });
    await follower.return();
    await deaf.close();
  });
});
