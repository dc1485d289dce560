import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defaultDeliveryPolicy, type DeliveryPolicy, type Start } from "../../../src/core/index.js";
import type { SubscriptionReport } from "../../../src/engine/index.js";
import type { Store } from "../../../src/store/index.js";
import { createLiveStreams } from "../../../src/telemetry/index.js";
import { readStamp } from "../../../src/wire/index.js";
import { createTestDatabase, databaseKinds, type TestDatabase } from "../../support/database.js";
import { readFrame } from "../../store/topic-writes.js";
import { type ControlPlane, createTopic, holdAll, openControlPlane, subscriptionOf } from "../control-plane.js";

const twelveHours = 12 * 3600_000;
const five = [{ text: "0" }, { text: "1" }, { text: "2" }, { text: "3" }, { text: "4" }];

describe.each(databaseKinds)("Subscriptions on %s", (kind) => {
  let database: TestDatabase;
  let store: Store;
  let plane: ControlPlane;

  beforeAll(async () => {
    database = await createTestDatabase(kind);
    store = await database.openStore();
    plane = openControlPlane(store);
    await createTopic(store, "five");
    await plane.append("five", five);
    await store.trimTopic((await store.findTopic("five"))!.head.topicId, 1);
  });
  afterAll(async () => {
    await plane.close();
    await database.drop();
  });

  /** The cursor of a subscription. */
  async function cursorOf(name: string): Promise<number> {
    const { subscriptionId } = await plane.subscriptions.get(name);
    return (await store.readProgress(subscriptionId))!.cursor;
  }

  it("creates with defaults, at the end of the topic, and returns it", async () => {
    const created = await plane.subscriptions.create(
      subscriptionOf("defaults", "five", { start: undefined, labels: new Map([["team", "a"]]) }),
    );
    expect(created).toMatchObject({
      name: "defaults",
      topic: "five",
      epoch: 7,
      sharing: "shared",
      policy: defaultDeliveryPolicy,
      labels: new Map([["team", "a"]]),
      isPaused: false,
    });
    expect(await plane.subscriptions.get("defaults")).toEqual(created);
    expect(await cursorOf("defaults")).toBe(5);
  });

  it("refuses to create twice, for a missing topic, for another epoch, above the end, and with invalid names", async () => {
    const { subscriptions } = plane;
    await subscriptions.create(subscriptionOf("once", "five"));
    const refusals: [ReturnType<typeof subscriptionOf>, object][] = [
      [subscriptionOf("once", "five"), { code: "subscription-exists" }],
      [subscriptionOf("other", "none"), { code: "topic-not-found" }],
      [
        { ...subscriptionOf("other", "five"), start: { at: "position", position: { epoch: 8, offset: 1 } } as never },
        { code: "epoch-mismatch" },
      ],
      [
        { ...subscriptionOf("other", "five"), start: { at: "offset", offset: 6 } as never },
        { code: "offset-out-of-range", metadata: { next_offset: "5" } },
      ],
      [subscriptionOf("", "five"), { code: "invalid-argument", violations: [{ field: "subscription" }] }],
      [subscriptionOf("A", "five"), { code: "invalid-argument", violations: [{ field: "subscription" }] }],
      [subscriptionOf("other", "A"), { code: "invalid-argument", violations: [{ field: "topic" }] }],
    ];
    for (const [command, error] of refusals) await expect(subscriptions.create(command)).rejects.toMatchObject(error);
    await expect(subscriptions.get("other")).rejects.toMatchObject({ code: "subscription-not-found" });
    await expect(subscriptions.get("a b")).rejects.toMatchObject({ code: "invalid-argument" });
  });

  it("begins and seeks at any start, and never below the kept records", async () => {
    await plane.subscriptions.create(subscriptionOf("sought", "five"));
    const timeOf = async (offset: number) => {
      const frame = await readFrame(store, (await store.findTopic("five"))!.head.topicId, offset);
      return readStamp(frame!, frame!.length).timeMicros;
    };
    const starts: [Start, number][] = [
      [{ at: "earliest" }, 1],
      [{ at: "latest" }, 5],
      [{ at: "offset", offset: 3 }, 3],
      [{ at: "offset", offset: 0 }, 1],
      [{ at: "position", position: { epoch: 7, offset: 4 } }, 4],
      [{ at: "position", position: { epoch: 0, offset: 2 } }, 2],
      [{ at: "last", count: 2 }, 3],
      [{ at: "last", count: 100 }, 1],
      [{ at: "time", timeMicros: 0 }, 1],
      [{ at: "time", timeMicros: (await timeOf(4)) + 1 }, 5],
    ];
    for (const [start, offset] of starts) {
      const { cursor, subscription } = await plane.subscriptions.seek("sought", start);
      expect(cursor, JSON.stringify(start)).toEqual({ epoch: 7, offset });
      expect(plane.told.at(-1)).toBe(`nudged ${subscription.subscriptionId}`);
      expect(await cursorOf("sought")).toBe(offset);
    }
    const begins: [Start, number][] = [
      [{ at: "last", count: 2 }, 3],
      [{ at: "offset", offset: 0 }, 1],
    ];
    for (const [start, offset] of begins) {
      await plane.subscriptions.create(subscriptionOf(`from-${start.at}`, "five", { start }));
      expect(await cursorOf(`from-${start.at}`), JSON.stringify(start)).toBe(offset);
    }
    await expect(
      plane.subscriptions.seek("sought", { at: "position", position: { epoch: 8, offset: 1 } }),
    ).rejects.toMatchObject({ code: "epoch-mismatch" });
    await expect(
      plane.subscriptions.seek("sought", { at: "position", position: { epoch: 2 ** 60, offset: 1 } }),
    ).rejects.toMatchObject({ violations: [{ field: "start.position.epoch" }] });
    await expect(plane.subscriptions.seek("sought", { at: "offset", offset: 6 })).rejects.toMatchObject({
      code: "offset-out-of-range",
    });
  });

  it("checks a policy against its bounds, and names the field", async () => {
    const refused: [Partial<DeliveryPolicy>, string][] = [
      [{ ackDeadlineMs: 999 }, "ack_deadline"],
      [{ ackDeadlineMs: twelveHours + 1 }, "ack_deadline"],
      [{ ackDeadlineMs: 1000.5 }, "ack_deadline"],
      [{ attemptsMax: 0 }, "attempts_max"],
      [{ attemptsMax: 1001 }, "attempts_max"],
      [{ retryMinMs: -1 }, "retry_min"],
      [{ retryMinMs: twelveHours + 1 }, "retry_min"],
      [{ retryMaxMs: twelveHours + 1 }, "retry_max"],
      [{ retryMaxMs: Number.NaN }, "retry_max"],
      [{ retryBacklog: 0 }, "retry_backlog"],
      [{ retryBacklog: 100_001 }, "retry_backlog"],
      // Against each other, and against settings that were not given.
      [{ retryMinMs: 2000, retryMaxMs: 1999 }, "retry_min"],
      [{ retryMinMs: 60_001 }, "retry_min"],
      [{ retryMaxMs: 999 }, "retry_max"],
    ];
    await plane.subscriptions.create(subscriptionOf("bounded", "five"));
    for (const [policy, field] of refused) {
      const error = { code: "invalid-argument", violations: [{ field }] };
      const command = subscriptionOf("unbounded", "five", { policy });
      await expect(plane.subscriptions.create(command), JSON.stringify(policy)).rejects.toMatchObject(error);
      await expect(plane.subscriptions.update("bounded", { policy }), JSON.stringify(policy)).rejects.toMatchObject(
        error,
      );
    }
    const edges = { ackDeadlineMs: 1000, attemptsMax: 1, retryMinMs: 0, retryMaxMs: 0, retryBacklog: 100_000 };
    await plane.subscriptions.create(subscriptionOf("edges", "five", { policy: edges }));
    expect((await plane.subscriptions.get("edges")).policy).toEqual(edges);
  });

  it("updates what is given, pauses and resumes, and informs its consumers each time", async () => {
    const { subscriptions, told } = plane;
    const { subscriptionId } = await subscriptions.create(
      subscriptionOf("changed", "five", { labels: new Map([["a", "b"]]) }),
    );
    const before = told.length;
    const updated = await subscriptions.update("changed", { policy: { retryMinMs: 60_000 } });
    expect(updated).toMatchObject({
      policy: { ...defaultDeliveryPolicy, retryMinMs: 60_000 },
      labels: new Map([["a", "b"]]),
    });
    expect((await subscriptions.update("changed", { labels: new Map() })).labels).toEqual(new Map());
    await expect(subscriptions.update("changed", { policy: { retryMaxMs: 59_999 } })).rejects.toMatchObject({
      violations: [{ field: "retry_max" }],
    });
    expect((await subscriptions.setPaused("changed", true)).isPaused).toBe(true);
    expect((await subscriptions.setPaused("changed", true)).isPaused).toBe(true);
    expect((await subscriptions.setPaused("changed", false)).isPaused).toBe(false);
    expect(told.slice(before)).toEqual(Array(5).fill(`nudged ${subscriptionId}`));
  });

  it("lists by name, by prefix and by topic, a page at a time", async () => {
    await createTopic(store, "listed");
    for (const name of ["list/a", "list/b", "list/c"]) {
      await plane.subscriptions.create(subscriptionOf(name, name === "list/b" ? "five" : "listed"));
    }
    const list = async (change: object) => {
      const request = { prefix: "list/", topic: "", after: "", count: 10, ...change };
      const { subscriptions, hasMore } = await plane.subscriptions.list(request);
      return [...subscriptions.map(({ name }) => name), ...(hasMore ? ["…"] : [])];
    };
    expect(await list({})).toEqual(["list/a", "list/b", "list/c"]);
    expect(await list({ count: 2 })).toEqual(["list/a", "list/b", "…"]);
    expect(await list({ count: 2, after: "list/b" })).toEqual(["list/c"]);
    expect(await list({ topic: "listed" })).toEqual(["list/a", "list/c"]);
    expect(await list({ topic: "nobody" })).toEqual([]);
    await expect(list({ prefix: "A" })).rejects.toMatchObject({ violations: [{ field: "prefix" }] });
    await expect(list({ after: "\u0000" })).rejects.toMatchObject({ violations: [{ field: "page_token" }] });
  });

  it("describes at once and periodically, with current facts of its own consumers, and ends when it is deleted", async () => {
    const { subscriptions } = plane;
    await subscriptions.create(subscriptionOf("described", "five"));
    const stored = await subscriptions.get("described");
    const { session, claimId } = await holdAll(store, stored, 4);
    const facts = {
      name: "c",
      peer: "1.2.3.4:5",
      node: "there",
      window: { records: 10, bytes: 1000 },
      outstandingRecords: 2,
      outstandingBytes: 60,
      startTimeMs: 1,
      lastAcknowledgementMs: 0,
      waiting: "caught-up" as const,
    };
    // What this node stored about itself some seconds ago no longer counts.
    const told = JSON.stringify([facts, { ...facts, node: "here", outstandingRecords: 100 }]);
    await store.syncSubscription(stored.subscriptionId, { session, consumers: 2, facts: told });
    await store.settle({
      subscriptionId: stored.subscriptionId,
      session,
      settled: [{ claimId, ranges: [{ firstOffset: 1, nextOffset: 2 }] }],
      folds: true,
      settledRetries: [],
      retries: [
        {
          claimId,
          firstOffset: 2,
          nextOffset: 3,
          deliveries: 1,
          failures: 1,
          delayMs: 60_000,
          reason: "no",
          lane: undefined,
        },
      ],
      parked: [{ claimId, offset: 3, deliveries: 1, slot: 0, lane: undefined, reason: "bad" }],
    });
    plane.facts.push({ ...facts, node: "here", outstandingRecords: 3 });
    const stream = createLiveStreams().open("test", "describe");
    const command = { name: "described", intervalMs: 1, limit: 0 };
    const reports = subscriptions.describe(command, stream, new AbortController().signal);
    const first = (await reports.next()).value as SubscriptionReport;
    const { head } = (await store.findTopic("five"))!;
    const frame = await readFrame(store, head.topicId, 2);
    expect(first).toMatchObject({
      subscription: { name: "described" },
      cursor: { epoch: 7, offset: 2 },
      lagRecords: 2,
      outstandingRecords: 5,
      retryRecords: 1,
      parkedRecords: 1,
      consumers: [
        { node: "here", outstandingRecords: 3 },
        { node: "there", outstandingRecords: 2 },
      ],
    });
    // Three consecutive records of the same length.
    expect(first.lagBytes).toBe(3 * frame!.length);
    expect(first.lagAgeMs).toBeGreaterThan(0);
    expect(first.lagAgeMs).toBeLessThan(60_000);
    plane.facts.length = 0;
    await subscriptions.seek("described", { at: "latest" });
    expect((await reports.next()).value).toMatchObject({
      cursor: { offset: 5 },
      lagRecords: 0,
      lagBytes: 0,
      lagAgeMs: undefined,
      retryRecords: 0,
      parkedRecords: 1,
      outstandingRecords: 2,
    });
    await subscriptions.delete("described");
    await expect(reports.next()).rejects.toMatchObject({ code: "subscription-not-found" });
    await expect(subscriptions.delete("described")).rejects.toMatchObject({ code: "subscription-not-found" });
  });

  it("ends a description after `limit` reports, and at an abort while it waits", async () => {
    await plane.subscriptions.create(subscriptionOf("counted", "five"));
    const abort = new AbortController();
    const describeWith = (limit: number, intervalMs: number) =>
      plane.subscriptions.describe(
        { name: "counted", intervalMs, limit },
        createLiveStreams().open("test", "describe"),
        abort.signal,
      );
    let reports = 0;
    for await (const report of describeWith(3, 1)) reports += report.cursor.offset;
    expect(reports).toBe(3);
    const endless = describeWith(0, 60_000);
    await endless.next();
    const next = endless.next();
    abort.abort(new Error("enough"));
    await expect(next).rejects.toThrow("enough");
  });

  it("deletes its subscriptions with the topic", async () => {
    await createTopic(store, "gone");
    await plane.subscriptions.create(subscriptionOf("orphan", "gone"));
    await store.deleteTopic((await store.findTopic("gone"))!.head.topicId);
    await createTopic(store, "gone");
    await expect(plane.subscriptions.seek("orphan", { at: "latest" })).rejects.toMatchObject({
      code: "subscription-not-found",
    });
  });
});
