import { type ServiceError, status } from "@grpc/grpc-js";
import { afterEach, describe, expect, test } from "vitest";
import { defaultLimits, labelBounds, noRetention } from "../../src/core/index.js";
import type { TopicDescription, Topics } from "../../src/engine/index.js";
import { TopicServiceService as Shapes, UpdateTopicRequest } from "../../src/gen/millrace/v1/topic_service.js";
import { callUnary, closeAll, startServer } from "./rpc-server.js";

afterEach(closeAll);

function described(name: string): TopicDescription {
  return {
    name,
    labels: new Map([["__proto__", "kept"]]),
    limits: { recordBytes: 1, batchRecords: 2, batchBytes: 3 },
    retention: { ageMs: 1500, records: 4, bytes: 5 },
    createTimeMicros: 1_700_000_000_123_456,
    firstTimeMicros: -1,
    head: {
      topicId: 1,
      epoch: 5,
      version: 9,
      earliestOffset: 10,
      nextOffset: 20,
      earliestBytes: 100,
      nextBytes: 350,
      lastTimeMicros: 1_700_000_001_000_001,
      closed: true,
      keyed: false,
      tombstonesFrom: 0,
      expiring: false,
    },
    stateBuild: { fromOffset: 20, nextOffset: 15, untilOffset: 10 },
  };
}

/** A server whose engine keeps its commands. */
async function start() {
  const asked: unknown[][] = [];
  const note =
    <Result>(result: (...args: never[]) => Result) =>
    async (...args: unknown[]) => {
      asked.push(args);
      return result(...(args as never[]));
    };
  const topics: Topics = {
    create: note((topic: { name: string }) => described(topic.name)),
    get: note(described),
    list: note(() => ({ topics: [described("a"), described("b")], hasMore: true })),
    update: note(described),
    trim: note(described),
    close: note(described),
    delete: note(() => undefined),
  };
  return { ...(await startServer({ topics })), asked };
}

const noLimits = { recordBytes: 0, batchRecords: 0, batchBytes: 0 };
const create = { topic: "t", labels: new Map<string, string>(), limits: undefined, keyed: false, retention: undefined };

describe("TopicService", () => {
  test("describes a topic", async () => {
    const { client } = await start();
    expect(await callUnary(client, Shapes.getTopic, { topic: "t" })).toEqual({
      topic: {
        name: "t",
        epoch: 5,
        labels: new Map([["__proto__", "kept"]]),
        limits: { recordBytes: 1, batchRecords: 2, batchBytes: 3 },
        closed: true,
        keyed: false,
        stateBuild: { nextOffset: 15, untilOffset: 10, fromOffset: 20 },
        retention: { age: { seconds: 1, nanos: 500_000_000 }, records: 4, bytes: 5 },
        earliestOffset: 10,
        nextOffset: 20,
        bytes: 250,
        firstTime: { seconds: -1, nanos: 999_999_000 },
        lastTime: { seconds: 1_700_000_001, nanos: 1000 },
        createTime: { seconds: 1_700_000_000, nanos: 123_456_000 },
      },
    });
  });

  test("passes each method's request on", async () => {
    const { client, asked } = await start();
    const labels = new Map([["team", "a"]]);
    await callUnary(client, Shapes.createTopic, { ...create, labels });
    await callUnary(client, Shapes.trimTopic, { topic: "t", beforeOffset: 7, epoch: 5 });
    await callUnary(client, Shapes.closeTopic, { topic: "t" });
    expect(await callUnary(client, Shapes.deleteTopic, { topic: "t", epoch: 5 })).toEqual({});
    expect(asked).toEqual([
      [{ name: "t", labels, limits: noLimits, keyed: false, retention: noRetention }],
      ["t", 7, 5],
      ["t"],
      ["t", 5],
    ]);
  });

  test("lists in pages, by its own tokens", async () => {
    const { client, asked } = await start();
    const list = { prefix: "", pageSize: 0, pageToken: "" };
    const first = await callUnary(client, Shapes.listTopics, list);
    if (first instanceof Error) throw first;
    await callUnary(client, Shapes.listTopics, { prefix: "a/", pageSize: 1000, pageToken: first.nextPageToken });
    expect(asked).toEqual([[{ prefix: "", after: "", count: 100 }], [{ prefix: "a/", after: "b", count: 1000 }]]);
  });

  const limits = { recordBytes: 10, batchRecords: 0, batchBytes: 30 };
  const retention = { age: { seconds: 2, nanos: 0 }, records: 7, bytes: 0 };
  const labels = new Map([["a", "b"]]);
  const changes: Record<string, [Partial<UpdateTopicRequest>, unknown]> = {
    "what is set, without a mask": [
      { labels, limits },
      { labels, limits: { recordBytes: 10, batchBytes: 30 } },
    ],
    "nothing, when nothing is set": [{}, {}],
    "labels alone": [{ labels, limits, updateMask: ["labels"] }, { labels }],
    "labels to none": [{ updateMask: ["labels"] }, { labels: new Map() }],
    "all limits": [{ limits, updateMask: ["limits"] }, { limits }],
    "one limit": [{ limits, updateMask: ["limits.record_bytes"] }, { limits: { recordBytes: 10 } }],
    "two limits": [
      { limits, updateMask: ["limits.batch_bytes", "limits.batch_records"] },
      { limits: { batchRecords: 0, batchBytes: 30 } },
    ],
    "the retention that is set, without a mask": [{ retention }, { retention: { ageMs: 2000, records: 7 } }],
    "all of the retention": [
      { retention, updateMask: ["retention"] },
      { retention: { ageMs: 2000, records: 7, bytes: 0 } },
    ],
    "some of the retention": [
      { retention, updateMask: ["retention.bytes", "retention.age"] },
      { retention: { ageMs: 2000, bytes: 0 } },
    ],
    "keyed, without a mask": [{ keyed: true }, { keyed: true }],
    "keyed alone": [{ keyed: true, labels, updateMask: ["keyed"] }, { keyed: true }],
    "keyed to what will be refused": [{ updateMask: ["keyed"] }, { keyed: false }],
    "the retention to none": [{ updateMask: ["retention.records"] }, { retention: { records: 0 } }],
  };
  for (const [what, [request, change]] of Object.entries(changes)) {
    test(`updates ${what}`, async () => {
      const { client, asked } = await start();
      await callUnary(client, Shapes.updateTopic, UpdateTopicRequest.fromPartial({ topic: "t", ...request }));
      expect(asked).toEqual([["t", change]]);
    });
  }

  const aged = (seconds: number, nanos: number) => ({ age: { seconds, nanos }, records: 0, bytes: 0 });
  const list = { prefix: "", pageSize: 0, pageToken: "" };
  const update = UpdateTopicRequest.fromPartial({ topic: "t" });
  const manyLabels = new Map(Array.from({ length: labelBounds.count + 1 }, (_, index) => [`l${index}`, ""]));
  const refused: [string, () => Parameters<typeof callUnary<never, object>>[1], object][] = [
    ["topic", () => Shapes.getTopic, { topic: "" }],
    ["topic", () => Shapes.getTopic, { topic: "No" }],
    ["page_size", () => Shapes.listTopics, { ...list, pageSize: -1 }],
    ["page_size", () => Shapes.listTopics, { ...list, pageSize: 1001 }],
    ["page_token", () => Shapes.listTopics, { ...list, pageToken: "garbage" }],
    ["page_token", () => Shapes.listTopics, { ...list, pageToken: Buffer.from("streams1:5").toString("base64url") }],
    [
      "page_token",
      () => Shapes.listTopics,
      { ...list, pageToken: `${Buffer.from("topics1:a").toString("base64url")}=` },
    ],
    ["prefix", () => Shapes.listTopics, { ...list, prefix: "\0" }],
    ["labels", () => Shapes.createTopic, { ...create, labels: manyLabels }],
    ["labels", () => Shapes.createTopic, { ...create, labels: new Map([["", "x"]]) }],
    ["labels", () => Shapes.createTopic, { ...create, labels: new Map([["ü".repeat(32), "x"]]) }],
    ["labels", () => Shapes.createTopic, { ...create, labels: new Map([["a", "x".repeat(257)]]) }],
    ["labels", () => Shapes.createTopic, { ...create, labels: new Map([["a", "\0"]]) }],
    [
      "limits.record_bytes",
      () => Shapes.createTopic,
      { ...create, limits: { ...noLimits, recordBytes: defaultLimits.recordBytes + 1 } },
    ],
    ["limits.batch_records", () => Shapes.updateTopic, { ...update, limits: { ...noLimits, batchRecords: 1001 } }],
    ["update_mask", () => Shapes.updateTopic, { ...update, updateMask: ["name"] }],
    ["retention.age", () => Shapes.createTopic, { ...create, retention: aged(0, 999_000_000) }],
    ["retention.age", () => Shapes.createTopic, { ...create, retention: aged(1, 1) }],
    ["retention.age", () => Shapes.createTopic, { ...create, retention: aged(-1, 0) }],
    ["retention.age", () => Shapes.createTopic, { ...create, retention: aged(2, -1_000_000) }],
    ["retention.age", () => Shapes.createTopic, { ...create, retention: aged(1, 1_000_000_000) }],
    ["retention.age", () => Shapes.updateTopic, { ...update, retention: aged(3_155_760_001, 0) }],
  ];
  for (const [field, method, request] of refused) {
    test(`refuses ${field}: ${JSON.stringify(request).slice(0, 60)}`, async () => {
      const { client, asked } = await start();
      const error = await callUnary<never, object>(client, method(), request as never);
      expect((error as ServiceError).code).toBe(status.INVALID_ARGUMENT);
      expect((error as ServiceError).details).toMatch(new RegExp(`^${field}: `));
      expect(asked).toEqual([]);
    });
  }
});
