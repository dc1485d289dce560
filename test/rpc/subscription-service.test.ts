import { type ClientDuplexStream, type MethodDefinition, type ServiceError, status } from "@grpc/grpc-js";
import { afterEach, describe, expect, test, vi } from "vitest";
import { consumerFenced, parkedNotFound, subscriptionExists, subscriptionNotFound } from "../../src/core/index.js";
import type {
  ConsumeMessage,
  ConsumerFacts,
  ConsumerRequest,
  Engine,
  SubscriptionReport,
  Subscriptions,
} from "../../src/engine/index.js";
import { BadRequest, ResourceInfo } from "../../src/gen/google/rpc/error_details.js";
import { InspectServiceService, LiveStream_Waiting } from "../../src/gen/millrace/v1/inspect_service.js";
import {
  CommitRequest,
  ConsumeRequest,
  type ConsumeResponse,
  ConsumeResponse_Heartbeat_Waiting as Waiting,
  type DeepPartial,
  DescribeSubscriptionRequest,
  type DescribeSubscriptionResponse,
  DiscardParkedRecordsRequest,
  ListParkedRecordsRequest,
  RedriveParkedRecordsRequest,
  SeekSubscriptionRequest,
  Subscription_Sharing as Sharing,
  CreateSubscriptionRequest as CreateRequest,
  ListSubscriptionsRequest as ListRequest,
  SubscriptionServiceService as Shapes,
  UpdateSubscriptionRequest as UpdateRequest,
} from "../../src/gen/millrace/v1/subscription_service.js";
import { framesOf } from "../support/frames.js";
import {
  callUnary,
  closeAll,
  drainStream,
  type EnginePart,
  richStatus,
  startServer,
  type TestServer,
} from "./rpc-server.js";

afterEach(closeAll);

type StoredSubscription = SubscriptionReport["subscription"];

const policy = { ackDeadlineMs: 30_000, attemptsMax: 5, retryMinMs: 1500, retryMaxMs: 60_000, retryBacklog: 10_000 };
const stored: StoredSubscription = {
  subscriptionId: 4,
  name: "s",
  topicId: 3,
  topic: "t",
  epoch: 9,
  sharing: "keyed",
  policy,
  labels: new Map([["team", "a"]]),
  isPaused: true,
  generation: 1,
  ticket: 0,
  attemptsBefore: 0,
  createTimeMicros: 1_500_000,
};
const described = {
  name: "s",
  topic: "t",
  epoch: 9,
  sharing: Sharing.KEYED,
  ackDeadline: { seconds: 30, nanos: 0 },
  attemptsMax: 5,
  retryMin: { seconds: 1, nanos: 500_000_000 },
  retryMax: { seconds: 60, nanos: 0 },
  retryBacklog: 10_000,
  labels: new Map([["team", "a"]]),
  paused: true,
  createTime: { seconds: 1, nanos: 500_000_000 },
};

type Shape<Request, Response> = Pick<
  MethodDefinition<Request, Response>,
  "path" | "requestSerialize" | "responseDeserialize"
>;

async function call<Request, Response>(engine: EnginePart, shape: Shape<Request, Response>, request: Request) {
  const { client } = await startServer(engine);
  return callUnary(client, shape, request);
}

/** The engine's input and the client's answer, when the engine answers with the subscription above. */
async function ask<Request, Response>(
  method: "create" | "get" | "update" | "setPaused",
  shape: Shape<Request, Response>,
  request: Request,
) {
  const subscriptions = { [method]: vi.fn<(...args: unknown[]) => Promise<StoredSubscription>>(async () => stored) };
  const answer = await call({ subscriptions: subscriptions as Partial<Subscriptions> }, shape, request);
  return { answer, asked: subscriptions[method]?.mock.calls[0] };
}

/** The fields that the refusal names. */
function fieldsOf(error: unknown): string[] {
  expect((error as ServiceError).code).toBe(status.INVALID_ARGUMENT);
  const found = richStatus(error as ServiceError).details.find(({ typeUrl }) => typeUrl.endsWith("BadRequest"));
  return BadRequest.decode(found?.value ?? new Uint8Array()).fieldViolations.map(({ field }) => field);
}

describe("CreateSubscription", () => {
  test("passes the set fields on, and answers with all fields", async () => {
    const request = CreateRequest.fromPartial({
      subscription: "s",
      topic: "t",
      start: { at: { $case: "time", value: { seconds: 1 } } },
      sharing: Sharing.EXCLUSIVE,
      ackDeadline: { seconds: 0, nanos: 1500 },
      retryMin: {},
      labels: new Map([["team", "a"]]),
    });
    const { answer, asked } = await ask("create", Shapes.createSubscription, request);
    expect(answer).toEqual({ subscription: described });
    expect(asked).toEqual([
      {
        name: "s",
        topic: "t",
        start: { at: "time", timeMicros: 1_000_000 },
        sharing: "exclusive",
        policy: { ackDeadlineMs: 0.0015, retryMinMs: 0 },
        labels: new Map([["team", "a"]]),
      },
    ]);
  });

  test("is by default SHARED, from the next record on, with default settings", async () => {
    const { asked } = await ask(
      "create",
      Shapes.createSubscription,
      CreateRequest.fromPartial({ subscription: "s", topic: "t" }),
    );
    expect(asked).toMatchObject([{ start: undefined, sharing: "shared", policy: {}, labels: new Map() }]);
  });

  const unknown: number = 4;
  const refused: [string, DeepPartial<CreateRequest>][] = [
    ["topic", { topic: "" }],
    ["sharing", { sharing: unknown }],
    ["start.last", { start: { at: { $case: "last", value: 0 } } }],
    ["ack_deadline", { ackDeadline: { seconds: 1, nanos: -1 } }],
    ["retry_max", { retryMax: { seconds: 1, nanos: 1e9 } }],
    ["labels", { labels: new Map([["", "x"]]) }],
  ];
  for (const [field, request] of refused) {
    test(`refuses ${field}: ${JSON.stringify(request)}`, async () => {
      const whole = CreateRequest.fromPartial({ subscription: "s", topic: "t", ...request });
      expect(fieldsOf(await call({}, Shapes.createSubscription, whole))).toEqual([field]);
    });
  }

  test("names the existing subscription in ResourceInfo", async () => {
    const error = await call(
      { subscriptions: { create: () => Promise.reject(subscriptionExists("s")) } },
      Shapes.createSubscription,
      CreateRequest.fromPartial({ subscription: "s", topic: "t" }),
    );
    const { code, details } = richStatus(error as ServiceError);
    expect(code).toBe(status.ALREADY_EXISTS);
    const resource = details.find(({ typeUrl }) => typeUrl.endsWith("ResourceInfo"));
    expect(ResourceInfo.decode(resource?.value ?? new Uint8Array())).toMatchObject({
      resourceType: "millrace.v1.Subscription",
      resourceName: "s",
    });
  });
});

describe("GetSubscription, PauseSubscription, ResumeSubscription and DeleteSubscription", () => {
  test("ask by name", async () => {
    expect(await ask("get", Shapes.getSubscription, { subscription: "s" })).toEqual({
      answer: { subscription: described },
      asked: ["s"],
    });
    for (const [shape, isPaused] of [
      [Shapes.pauseSubscription, true],
      [Shapes.resumeSubscription, false],
    ] as const) {
      expect(await ask("setPaused", shape, { subscription: "s" })).toEqual({
        answer: { subscription: described },
        asked: ["s", isPaused],
      });
    }
    const deleted: string[] = [];
    const remove = async (name: string) => void deleted.push(name);
    expect(await call({ subscriptions: { delete: remove } }, Shapes.deleteSubscription, { subscription: "s" })).toEqual(
      {},
    );
    expect(deleted).toEqual(["s"]);
  });
});

describe("ListSubscriptions", () => {
  test("continues where the last page ended", async () => {
    const list = vi.fn<Subscriptions["list"]>(async () => ({ subscriptions: [stored], hasMore: true }));
    const { client } = await startServer({ subscriptions: { list } });
    const first = await callUnary(
      client,
      Shapes.listSubscriptions,
      ListRequest.fromPartial({ prefix: "p", topic: "t" }),
    );
    expect(first).toEqual({ subscriptions: [described], nextPageToken: expect.stringMatching(/./) });
    if (first instanceof Error) throw first;
    const request = ListRequest.fromPartial({ pageSize: 7, pageToken: first.nextPageToken });
    list.mockResolvedValue({ subscriptions: [], hasMore: false });
    expect(await callUnary(client, Shapes.listSubscriptions, request)).toEqual({
      subscriptions: [],
      nextPageToken: "",
    });
    expect(list.mock.calls).toEqual([
      [{ prefix: "p", topic: "t", after: "", count: 100 }],
      [{ prefix: "", topic: "", after: "s", count: 7 }],
    ]);
  });

  for (const request of [{ pageSize: 1001 }, { pageToken: Buffer.from("topics1:t").toString("base64url") }]) {
    test(`refuses ${JSON.stringify(request)}`, async () => {
      const [field] = fieldsOf(await call({}, Shapes.listSubscriptions, ListRequest.fromPartial(request)));
      expect(field).toBe("pageSize" in request ? "page_size" : "page_token");
    });
  }
});

describe("UpdateSubscription", () => {
  const changes: [string, DeepPartial<UpdateRequest>, unknown][] = [
    ["nothing", {}, {}],
    ["what is set", { attemptsMax: 9, retryMax: {} }, { policy: { attemptsMax: 9, retryMaxMs: 0 } }],
    ["labels that are set", { labels: new Map([["a", "b"]]) }, { labels: new Map([["a", "b"]]) }],
    [
      "what the mask names",
      { updateMask: ["attempts_max"], attemptsMax: 9, retryBacklog: 3 },
      { policy: { attemptsMax: 9 } },
    ],
    [
      "to the defaults what the mask names and is not set",
      { updateMask: ["ack_deadline", "attempts_max", "retry_min", "retry_max", "retry_backlog", "labels"] },
      { policy: { ...policy, retryMinMs: 1000 }, labels: new Map() },
    ],
  ];
  for (const [what, request, change] of changes) {
    test(`changes ${what}`, async () => {
      const whole = UpdateRequest.fromPartial({ subscription: "s", ...request });
      expect(await ask("update", Shapes.updateSubscription, whole)).toEqual({
        answer: { subscription: described },
        asked: ["s", change],
      });
    });
  }

  test("refuses fields that cannot be changed", async () => {
    for (const path of ["sharing", "topic", "constructor"]) {
      const request = UpdateRequest.fromPartial({ subscription: "s", updateMask: ["labels", path] });
      expect(fieldsOf(await call({}, Shapes.updateSubscription, request))).toEqual(["update_mask"]);
    }
  });
});

describe("SeekSubscription", () => {
  test("moves to a start", async () => {
    const seek = vi.fn<Subscriptions["seek"]>(async () => ({ subscription: stored, cursor: { epoch: 9, offset: 5 } }));
    const request = SeekSubscriptionRequest.fromPartial({
      subscription: "s",
      start: { at: { $case: "offset", value: 5 } },
    });
    expect(await call({ subscriptions: { seek } }, Shapes.seekSubscription, request)).toEqual({
      subscription: described,
      cursor: { epoch: 9, offset: 5 },
    });
    expect(seek.mock.calls).toEqual([["s", { at: "offset", offset: 5 }]]);
  });

  test("refuses a missing start, and an invalid one", async () => {
    for (const [field, start] of [
      ["start", undefined],
      ["start", {}],
      ["start.time.nanos", { at: { $case: "time" as const, value: { nanos: -1 } } }],
    ] as const) {
      const request = SeekSubscriptionRequest.fromPartial({ subscription: "s", ...(start && { start }) });
      expect(fieldsOf(await call({}, Shapes.seekSubscription, request))).toEqual([field]);
    }
  });
});

describe("DescribeSubscription", () => {
  const consumer: ConsumerFacts = {
    name: "worker",
    peer: "127.0.0.1:1",
    node: "n",
    window: { records: 10, bytes: 0 },
    outstandingRecords: 3,
    outstandingBytes: 300,
    startTimeMs: 1500,
    lastAcknowledgementMs: 2500,
    waiting: "window-full-bytes",
  };
  const report: SubscriptionReport = {
    subscription: stored,
    cursor: { epoch: 9, offset: 5 },
    lagRecords: 7,
    lagBytes: 700,
    lagAgeMs: 1250,
    outstandingRecords: 3,
    retryRecords: 2,
    parkedRecords: 1,
    consumers: [consumer, { ...consumer, lastAcknowledgementMs: 0, waiting: "nothing" }],
  };

  function describing(request: DeepPartial<DescribeSubscriptionRequest>, { client }: TestServer) {
    const { path, requestSerialize, responseDeserialize } = Shapes.describeSubscription;
    const whole = DescribeSubscriptionRequest.fromPartial({ subscription: "s", ...request });
    return drainStream<DescribeSubscriptionResponse>(
      client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, whole),
    );
  }

  test("sends every report", async () => {
    const commands: unknown[] = [];
    const server = await startServer({
      subscriptions: {
        describe: async function* (command) {
          commands.push(command);
          yield report;
          yield { ...report, lagAgeMs: undefined, consumers: [] };
        },
      },
    });
    const { messages, error } = await describing({}, server);
    expect(error).toBeUndefined();
    const encoded = {
      name: "worker",
      peer: "127.0.0.1:1",
      node: "n",
      window: { records: 10, bytes: 0 },
      outstandingRecords: 3,
      outstandingBytes: 300,
      startTime: { seconds: 1, nanos: 500_000_000 },
      lastAcknowledgementTime: { seconds: 2, nanos: 500_000_000 },
      waiting: Waiting.WINDOW_FULL_BYTES,
    };
    const first = {
      subscription: described,
      cursor: { epoch: 9, offset: 5 },
      lagRecords: 7,
      lagBytes: 700,
      lagAge: { seconds: 1, nanos: 250_000_000 },
      outstandingRecords: 3,
      retryRecords: 2,
      parkedRecords: 1,
      consumers: [encoded, { ...encoded, lastAcknowledgementTime: undefined, waiting: Waiting.WAITING_UNSPECIFIED }],
    };
    expect(messages).toEqual([first, { ...first, lagAge: undefined, consumers: [] }]);
    await describing({ interval: { nanos: 100_000_000 }, limit: 3 }, server);
    expect(commands).toEqual([
      { name: "s", intervalMs: 1000, limit: 0 },
      { name: "s", intervalMs: 100, limit: 3 },
    ]);
  });

  test("refuses an interval that is out of bounds", async () => {
    const server = await startServer({});
    for (const interval of [{}, { nanos: 99_999_999 }, { seconds: 3600, nanos: 1 }]) {
      expect(fieldsOf((await describing({ interval }, server)).error)).toEqual(["interval"]);
    }
  });
});

type Consuming = ClientDuplexStream<ConsumeRequest, ConsumeResponse>;

function consume({ client }: TestServer, ...messages: DeepPartial<ConsumeRequest>[]): Consuming {
  const { path, requestSerialize, responseDeserialize } = Shapes.consume;
  const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
  for (const message of messages) stream.write(ConsumeRequest.fromPartial(message));
  return stream;
}

const quiet: ConsumeMessage = { runs: [], records: 0, attempt: 0, confirmed: undefined, event: undefined };
const window = { records: 10, bytes: 1000 };

describe("Consume", () => {
  test("gives the engine its opening and later requests, decoded when they are pulled", async () => {
    const openings: unknown[] = [];
    const requests: ConsumerRequest[] = [];
    const server = await startServer({
      consume: async function* (opening, later, stream) {
        openings.push({ ...opening, peer: stream.peer, topic: stream.topic });
        for (;;) {
          const { done, value } = await later.next();
          if (done === true) return;
          requests.push(value);
          yield quiet;
        }
      },
    });
    const stream = consume(server, { topic: "t" }, { acknowledgeThrough: 3 }, { topic: "t", window: {} });
    stream.end();
    const { messages, error } = await drainStream<ConsumeResponse>(stream);
    expect(error).toBeUndefined();
    expect(messages).toHaveLength(2);
    const peer = expect.stringMatching(/^127\.0\.0\.1:\d+$/) as unknown;
    const initial = { records: 1000, bytes: 4_194_304 };
    expect(openings).toEqual([
      { kind: "ephemeral", topic: "t", start: undefined, consumer: peer, window: initial, peer },
    ]);
    expect(requests).toMatchObject([
      { acknowledgeThrough: 3, window: undefined },
      { acknowledgeThrough: undefined, window: initial },
    ]);
  });

  test("sends records as they are stored, and every kind of event", async () => {
    const { bytes, ends } = framesOf([3, 4, 5], 70);
    const runs = [bytes.subarray(0, ends[0]), bytes.subarray(ends[1])];
    const range = (firstOffset: number) => ({ firstOffset, nextOffset: firstOffset + 1 });
    const taken = {
      acknowledged: [range(1)],
      rejected: [range(2)],
      parked: [range(3)],
      extended: [range(4)],
      released: [range(5)],
    };
    const confirmed = {
      ...taken,
      stale: [
        { range: range(6), attempt: 2 },
        { range: range(6), attempt: 0 },
      ],
    };
    const cursor = { epoch: 9, offset: 70 };
    const server = await startServer({
      consume: async function* (_opening, _requests, stream) {
        stream.topic = "t";
        const started = {
          kind: "started",
          session: 12,
          cursor,
          window,
          ackDeadlineMs: 1500,
          sharing: "keyed",
        } as const;
        yield { ...quiet, event: started };
        yield { ...quiet, runs, records: 2, attempt: 3, confirmed };
        yield { ...quiet, event: { kind: "window-changed", window } };
        yield { ...quiet, event: { kind: "skipped", firstOffset: 1, nextOffset: 4 } };
        yield {
          ...quiet,
          event: {
            kind: "heartbeat",
            waiting: "keys-busy",
            outstandingRecords: 2,
            outstandingBytes: 200,
            window,
            cursor,
            nextOffset: 0,
            retryRecords: 4,
          },
        };
        yield { ...quiet, event: { kind: "closed" } };
      },
    });
    const { messages, error } = await drainStream<ConsumeResponse>(consume(server, { subscription: "s" }));
    expect(error).toBeUndefined();
    const nothing = { records: [], attempt: 0, confirmed: undefined, event: undefined };
    const ackDeadline = { seconds: 1, nanos: 500_000_000 };
    expect(messages).toMatchObject([
      {
        ...nothing,
        event: { $case: "started", value: { session: 12, cursor, window, ackDeadline, sharing: Sharing.KEYED } },
      },
      {
        ...nothing,
        records: [{ offset: 70 }, { offset: 72 }],
        attempt: 3,
        confirmed: {
          ...taken,
          stale: [
            { offsets: range(6), attempt: 2 },
            { offsets: range(6), attempt: 0 },
          ],
        },
      },
      { ...nothing, event: { $case: "windowChanged", value: window } },
      { ...nothing, event: { $case: "skipped", value: { firstOffset: 1, nextOffset: 4, reason: 1 } } },
      {
        ...nothing,
        event: {
          $case: "heartbeat",
          value: {
            waiting: Waiting.KEYS_BUSY,
            outstandingRecords: 2,
            outstandingBytes: 200,
            window,
            cursor,
            nextOffset: 0,
            retryRecords: 4,
          },
        },
      },
      { ...nothing, event: { $case: "closed", value: {} } },
    ]);
    // Records are counted, and the log names the topic.
    expect(await server.metrics.recordsOut.get()).toMatchObject({ values: [{ value: 2 }] });
    await vi.waitFor(() => expect(server.logger.lines.at(-1)?.fields).toMatchObject({ topic: "t", status: "OK" }));
  });

  const refused: [string, ...DeepPartial<ConsumeRequest>[]][] = [
    ["subscription"],
    ["subscription", {}],
    ["window.bytes", { subscription: "s", window: { bytes: 4_294_967_295 } }],
    [
      "acknowledge[1].offsets.next_offset",
      { subscription: "s" },
      { acknowledge: [{ offsets: {} }, { offsets: { firstOffset: 5, nextOffset: 5 } }] },
    ],
    ["subscription", { subscription: "s" }, { subscription: "other" }],
  ];
  for (const [field, ...messages] of refused) {
    test(`refuses ${field}: ${JSON.stringify(messages)}`, async () => {
      const server = await startServer({
        // An error thrown by the requests ends the call.
        consume: async function* (_opening, requests) {
          yield quiet;
          await requests.next();
        },
      });
      const stream = consume(server, ...messages);
      stream.end();
      expect(fieldsOf((await drainStream(stream)).error)).toEqual([field]);
    });
  }

  test("ends with what the engine throws", async () => {
    const server = await startServer({
      consume: async function* () {
        yield quiet;
        throw consumerFenced("s");
      },
    });
    const { error } = await drainStream(consume(server, { subscription: "s" }));
    expect(error?.code).toBe(status.FAILED_PRECONDITION);
  });

  test("ends with `draining` when the node drains before the first message", async () => {
    const server = await startServer({});
    const stream = consume(server);
    await new Promise((resolve) => stream.once("metadata", resolve));
    const drained = server.server.drain(1000);
    const { error } = await drainStream(stream);
    expect(error?.code).toBe(status.UNAVAILABLE);
    expect(await drained).toEqual({ wasForced: false });
  });

  test("a draining node lets the engine settle received verdicts, then ends the call with `draining`", async () => {
    let settled = false;
    const server = await startServer({
      consume: async function* (_opening, requests) {
        yield quiet;
        expect((await requests.next()).done).toBe(true);
        settled = true;
        yield quiet;
      },
    });
    const stream = consume(server, { subscription: "s" });
    const ended = drainStream(stream);
    await new Promise((resolve) => stream.once("data", resolve));
    await server.server.drain(1000);
    const { messages, error } = await ended;
    expect(messages).toHaveLength(2);
    expect(settled).toBe(true);
    expect(error?.code).toBe(status.UNAVAILABLE);
  });

  test("InspectService reports what deliveries wait for, although the call always waits for a message", async () => {
    const server = await startServer({
      consume: async function* (_opening, requests, stream, signal) {
        yield quiet;
        stream.waitFor("new-records");
        while ((await requests.next()).done !== true) stream.messagesSent += 100;
        signal.throwIfAborted();
      },
    });
    const stream = consume(server, { subscription: "s" }, {});
    stream.on("error", () => undefined);
    stream.resume();
    await vi.waitFor(async () => {
      const listed = await callUnary(server.client, InspectServiceService.listStreams, {
        topic: "",
        pageSize: 0,
        pageToken: "",
      });
      expect(listed).toMatchObject({ streams: [{ waiting: LiveStream_Waiting.NEW_RECORDS, messagesSent: 101 }] });
    });
    stream.cancel();
  });
});

describe("Commit", () => {
  const record = { body: { $case: "data" as const, value: Buffer.from("x") } };

  test("gives the engine records undecoded, and answers with their offsets", async () => {
    const commit = vi.fn<Engine["commit"]>(async () => [{ topic: "out", epoch: 3, firstOffset: 5, nextOffset: 7 }]);
    const request = CommitRequest.fromPartial({
      subscription: "s",
      session: 12,
      acknowledge: [{ offsets: { firstOffset: 4 } }, { offsets: { firstOffset: 6, nextOffset: 9 }, attempt: 2 }],
      append: [
        { topic: "out", records: [record, { key: "k" }], expectedOffset: 0 },
        { topic: "other", records: [record], epoch: 3 },
      ],
    });
    expect(await call({ commit }, Shapes.commit, request)).toEqual({
      appended: [{ topic: "out", epoch: 3, firstOffset: 5, nextOffset: 7 }],
    });
    expect(commit.mock.calls[0]?.[0]).toMatchObject({
      subscription: "s",
      session: 12,
      acknowledge: [
        { range: { firstOffset: 4, nextOffset: 5 }, attempt: 0 },
        { range: { firstOffset: 6, nextOffset: 9 }, attempt: 2 },
      ],
      append: [
        { topic: "out", batch: { ends: { length: 2 } }, expectedOffset: 0, epoch: 0 },
        { topic: "other", batch: { ends: { length: 1 } }, expectedOffset: undefined, epoch: 3 },
      ],
    });
  });

  test("may append nothing", async () => {
    const request = CommitRequest.fromPartial({ subscription: "s", session: 1, acknowledge: [{ offsets: {} }] });
    expect(await call({ commit: async () => [] }, Shapes.commit, request)).toEqual({ appended: [] });
  });

  const many = (count: number) => Array.from({ length: count }, () => ({}));
  const large = { body: { $case: "data" as const, value: new Uint8Array(600_000) } };
  const refused: [string, DeepPartial<CommitRequest>][] = [
    ["session", { session: 0 }],
    ["acknowledge[1].offsets", { acknowledge: [{ offsets: {} }, {}] }],
    ["acknowledge[0].offsets.next_offset", { acknowledge: [{ offsets: { firstOffset: 3, nextOffset: 2 } }] }],
    ["append[1].records", { append: [{ topic: "a", records: [record] }, { topic: "b" }] }],
    ["append[0].records[1].key", { append: [{ topic: "a", records: [{}, { key: "k".repeat(1025) }] }] }],
    ["append[0].records", { append: [{ topic: "a", records: many(1001) }] }],
    ["append", { append: [{ records: many(600) }, { records: many(401) }] }],
    ["append", { append: [{ records: [large] }, { records: [large] }] }],
    ["append", { append: Array.from({ length: 101 }, () => ({ topic: "a", records: [record] })) }],
  ];
  for (const [field, request] of refused) {
    test(`refuses ${field}: ${JSON.stringify(request).slice(0, 60)}`, async () => {
      const whole = CommitRequest.fromPartial({
        subscription: "s",
        session: 1,
        acknowledge: [{ offsets: {} }],
        ...request,
      });
      expect(fieldsOf(await call({}, Shapes.commit, whole))).toEqual([field]);
    });
  }

  test("refuses bytes that are not a message", async () => {
    const { path, responseDeserialize } = Shapes.commit;
    // A string longer than the message; a group; a field without a number; a cut output.
    for (const bytes of [[0x0a, 5, 1], [0x0b], [0x02, 0], [0x10, 1, 0x22, 2, 0x12, 9]]) {
      const shape = { path, requestSerialize: (each: Buffer) => each, responseDeserialize };
      expect(fieldsOf(await call({}, shape, Buffer.from(bytes)))).toEqual(["request"]);
    }
  });
});

describe("parked records", () => {
  const { bytes, ends } = framesOf([3, 200], 2 ** 40);
  const parkedOf = (frame: Uint8Array, offset: number) => ({
    offset,
    frame,
    parkedMicros: 2_000_001,
    deliveries: 5,
    reasons: ["first", "", "last"],
  });
  const small = parkedOf(bytes.subarray(0, ends[0]), 2 ** 40);
  const larger = parkedOf(bytes.subarray(ends[0]), 2 ** 40 + 1);
  const encodedOf = (offset: number, size: number) => ({
    record: expect.objectContaining({ offset, body: { $case: "data", value: Buffer.alloc(size) } }) as unknown,
    parkTime: { seconds: 2, nanos: 1000 },
    attempts: 5,
    reasons: ["first", "", "last"],
  });

  test("are listed in pages, with their records as they are stored", async () => {
    const listParked = vi.fn<Subscriptions["listParked"]>(async () => ({
      records: [small, larger],
      next: 2 ** 50,
    }));
    const { client } = await startServer({ subscriptions: { listParked } });
    const request = ListParkedRecordsRequest.fromPartial({ subscription: "s", filter: "size > 1" });
    const first = await callUnary(client, Shapes.listParkedRecords, request);
    expect(first).toEqual({
      records: [encodedOf(2 ** 40, 3), encodedOf(2 ** 40 + 1, 200)],
      nextPageToken: expect.stringMatching(/./),
    });
    if (first instanceof Error) throw first;
    listParked.mockResolvedValue({ records: [], next: undefined });
    const second = ListParkedRecordsRequest.fromPartial({
      subscription: "s",
      pageToken: first.nextPageToken,
      pageSize: 3,
    });
    expect(await callUnary(client, Shapes.listParkedRecords, second)).toEqual({ records: [], nextPageToken: "" });
    expect(listParked.mock.calls).toMatchObject([
      [{ subscription: "s", filter: { text: "size > 1" }, from: 0, count: 100 }],
      [{ subscription: "s", filter: undefined, from: 2 ** 50, count: 3 }],
    ]);
  });

  test("can be read one by one", async () => {
    const getParked = vi.fn<Subscriptions["getParked"]>(async () => larger);
    const request = { subscription: "s", offset: 2 ** 40 + 1 };
    expect(await call({ subscriptions: { getParked } }, Shapes.getParkedRecord, request)).toEqual({
      record: encodedOf(2 ** 40 + 1, 200),
    });
    expect(getParked.mock.calls).toEqual([["s", 2 ** 40 + 1]]);
    const gone = { getParked: () => Promise.reject(parkedNotFound("s", 3)) };
    expect(await call({ subscriptions: gone }, Shapes.getParkedRecord, request)).toMatchObject({
      code: status.NOT_FOUND,
    });
  });

  const offsets = [{ firstOffset: 3 }, { firstOffset: 5, nextOffset: 8 }];
  const selection = {
    subscription: "s",
    offsets: [
      { firstOffset: 3, nextOffset: 4 },
      { firstOffset: 5, nextOffset: 8 },
    ],
    filter: { text: "size > 1" },
  };

  test("are redriven at a rate, and discarded", async () => {
    const redriveParked = vi.fn<Subscriptions["redriveParked"]>(async () => 4);
    const discardParked = vi.fn<Subscriptions["discardParked"]>(async () => 2);
    const { client } = await startServer({ subscriptions: { redriveParked, discardParked } });
    const redrive = RedriveParkedRecordsRequest.fromPartial({
      subscription: "s",
      offsets,
      filter: "size > 1",
      rate: 0.001,
    });
    expect(await callUnary(client, Shapes.redriveParkedRecords, redrive)).toEqual({ records: 4 });
    const discard = DiscardParkedRecordsRequest.fromPartial({ subscription: "s", offsets, filter: "size > 1" });
    expect(await callUnary(client, Shapes.discardParkedRecords, discard)).toEqual({ records: 2 });
    expect(redriveParked.mock.calls).toMatchObject([[selection, 0.001, {}]]);
    expect(discardParked.mock.calls).toMatchObject([[selection, {}]]);
  });

  const tooMany = Array.from({ length: 10_001 }, (_, firstOffset) => ({ firstOffset }));
  const refused: [string, DeepPartial<RedriveParkedRecordsRequest>][] = [
    ["offsets[1].next_offset", { offsets: [{}, { firstOffset: 3, nextOffset: 3 }] }],
    ["offsets", { offsets: tooMany }],
    ["filter", { filter: "no such thing(" }],
    ["rate", { rate: -1 }],
    ["rate", { rate: 0.0009 }],
    ["rate", { rate: 1_000_001 }],
    ["rate", { rate: Number.NaN }],
    ["rate", { rate: Number.POSITIVE_INFINITY }],
  ];
  for (const [field, request] of refused) {
    test(`refuses ${field}: ${JSON.stringify(request).slice(0, 60)}`, async () => {
      const whole = RedriveParkedRecordsRequest.fromPartial({ subscription: "s", ...request });
      expect(fieldsOf(await call({}, Shapes.redriveParkedRecords, whole))).toEqual([field]);
    });
  }

  for (const token of [
    "?",
    Buffer.from("parked1:-1").toString("base64url"),
    Buffer.from("parked1:1e3").toString("base64url"),
  ]) {
    test(`refuses the page token ${token}`, async () => {
      const request = ListParkedRecordsRequest.fromPartial({ subscription: "s", pageToken: token });
      expect(fieldsOf(await call({}, Shapes.listParkedRecords, request))).toEqual(["page_token"]);
    });
  }

  test("of no subscription", async () => {
    const none = () => Promise.reject(subscriptionNotFound("s"));
    const request = ListParkedRecordsRequest.fromPartial({ subscription: "s" });
    expect(await call({ subscriptions: { listParked: none } }, Shapes.listParkedRecords, request)).toMatchObject({
      code: status.NOT_FOUND,
    });
  });
});
