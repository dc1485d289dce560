import { once } from "node:events";
import {
  type Client,
  type ClientDuplexStream,
  credentials,
  loadPackageDefinition,
  type ServiceClientConstructor,
} from "@grpc/grpc-js";
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createTestDatabase, onPostgres, type TestDatabase } from "../support/database.js";
import { loadedProtos } from "../support/loaded-protos.js";
import {
  databaseArguments,
  killServerProcesses,
  type ServerProcess,
  startServerProcess,
} from "../support/server-process.js";

/** Calls every method of every service with a client that shares no code with the server: proto-loader's. */

type Message = Record<string, unknown>;

const constructors = (
  loadPackageDefinition(loadedProtos) as unknown as {
    millrace: { v1: Record<string, ServiceClientConstructor> };
  }
).millrace.v1;

let database: TestDatabase;
let server: ServerProcess;
let clients: Map<string, Client>;
const called = new Set<string>();

afterAll(killServerProcesses);

function method(name: string) {
  const [service = "", call = ""] = name.split("/");
  called.add(name);
  let client = clients.get(service);
  if (client === undefined) {
    const Constructor = constructors[service];
    if (Constructor === undefined) throw new Error(`There is no service ${service}`);
    client = new Constructor(server.address, credentials.createInsecure());
    clients.set(service, client);
  }
  return (client as unknown as Record<string, (...args: unknown[]) => unknown>)[call]?.bind(client);
}

function unary(name: string, request: Message): Promise<Message> {
  return new Promise((resolve, reject) => {
    method(name)?.(request, (error: Error | null, response: Message) => (error ? reject(error) : resolve(response)));
  });
}

type Stream = ClientDuplexStream<Message, Message>;

const stream = (name: string, request?: Message) => method(name)?.(request) as Stream;

/** In grpc-js, leaving a loop over a call's messages does not end the call. */
function cancel(call: Stream): void {
  call.on("error", () => undefined);
  call.cancel();
}

const record = (body: Message, more: Message = {}) => ({
  key: "",
  attributes: {},
  location: null,
  eventTime: null,
  lifetime: null,
  ...more,
  ...body,
});
const stamped = (offset: number) => ({
  time: { seconds: expect.any(Number), nanos: expect.any(Number) },
  offset,
});

describe.each(onPostgres)("on %s", (kind) => {
  beforeEach(async () => {
    database = await createTestDatabase(kind);
    server = await startServerProcess([
      ..."--listen 127.0.0.1:0 --log-level warn".split(" "),
      ...databaseArguments(database.connection),
    ]);
    clients = new Map();
  });

  afterEach(async () => {
    for (const client of clients.values()) client.close();
    await server.stop();
    await database.drop();
  });

  test("a client with another codec gets the same answers from every method", async () => {
    const limits = { recordBytes: 0, batchRecords: 10, batchBytes: 0 };
    const created = await unary("TopicService/CreateTopic", { topic: "foreign", labels: { team: "a" }, limits });
    const topic = { name: "foreign", labels: { team: "a" }, limits, closed: false, earliestOffset: 0 };
    expect(created).toMatchObject({ topic: { ...topic, nextOffset: 0, bytes: 0, firstTime: null, lastTime: null } });
    const { epoch } = created["topic"] as { epoch: number };
    expect(epoch).toBeGreaterThan(0);

    // One of each body, with all fields that may accompany it.
    const records = [
      record(
        { data: Buffer.from([0, 1, 254, 255]) },
        {
          key: "ключ",
          attributes: { region: "eu" },
          location: { latitude: -33.5, longitude: 151.25 },
          eventTime: { seconds: -1, nanos: 999_999_999 },
          lifetime: { seconds: 3600, nanos: 0 },
        },
      ),
      record({ text: "text\u0000🚂" }),
      record({ json: { fields: { n: { numberValue: -1.5e300 }, o: { structValue: { fields: {} } } } } }),
      record({ message: { type_url: "type.googleapis.com/x.Y", value: Buffer.from([8, 1]) } }),
      record({}, { key: "without a body" }),
    ];
    const appended = await unary("RecordService/Append", { topic: "foreign", records, expectedOffset: 0, epoch });
    expect(appended).toEqual({ firstOffset: 0, nextOffset: 5, epoch, repeated: false });

    const producer = { id: "p", generation: 1, sequence: 0 };
    const publish = stream("RecordService/Publish");
    publish.write({ topic: "foreign", producer, records: [] });
    publish.write({ records: [{ text: "five" }, { text: "six" }] });
    publish.write({ records: [{ text: "seven" }], expectedOffset: 7 });
    publish.end();
    const acknowledged = [];
    for await (const each of publish) acknowledged.push(each);
    expect(acknowledged).toEqual([
      { firstOffset: 5, nextOffset: 5, epoch, repeated: false },
      { firstOffset: 5, nextOffset: 7, epoch, repeated: false },
      { firstOffset: 7, nextOffset: 8, epoch, repeated: false },
    ]);

    const all = [...records, ...["five", "six", "seven"].map((text) => record({ text }))].map((each, offset) => ({
      ...each,
      ...stamped(offset),
    }));
    expect(await readAll({ topic: "foreign" })).toEqual(all);
    expect(await readAll({ topic: "foreign", start: { last: 2 } })).toEqual(all.slice(6));
    expect(
      await readAll({ topic: "foreign", start: { position: { epoch, offset: 1 } }, until: { offset: 3 } }),
    ).toEqual(all.slice(1, 3));
    expect(await readAll({ topic: "foreign", direction: 2, limit: 3 })).toEqual(all.slice(5).reverse());

    const follow = stream("RecordService/Follow", { topic: "foreign", start: { offset: 6 } });
    const messages = [];
    for await (const message of follow) {
      messages.push(message);
      if (message["caughtUp"] !== undefined) break;
    }
    cancel(follow);
    const next = { epoch, offset: 8 };
    expect(messages).toEqual([
      { records: [], next: { epoch, offset: 6 }, started: { earliestOffset: 0, nextOffset: 8 } },
      { records: all.slice(6), next },
      { records: [], next, caughtUp: {} },
    ]);

    const held = stream("RecordService/Follow", { topic: "foreign" });
    await once(held, "data");
    // The call before was cancelled, and may still be there for a moment.
    await vi.waitFor(async () =>
      expect(await unary("InspectService/ListStreams", { topic: "foreign" })).toMatchObject({
        streams: [
          {
            method: "/millrace.v1.RecordService/Follow",
            topic: "foreign",
            peer: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
            waiting: 3,
            nextOffset: 8,
            lag: 0,
          },
        ],
      }),
    );
    expect(await unary("InspectService/ListQueues", { topic: "foreign" })).toMatchObject({
      queues: [
        { kind: 2, name: "foreign", depth: 0, capacity: 8 * 1_048_576 },
        { kind: 3, name: "foreign", capacity: 4 * 1_048_576 },
      ],
    });
    cancel(held);

    expect(await unary("TopicService/GetTopic", { topic: "foreign" })).toMatchObject({
      topic: { ...topic, epoch, nextOffset: 8, firstTime: stamped(0).time, lastTime: stamped(0).time },
    });
    expect(await unary("TopicService/ListTopics", { prefix: "f", pageSize: 1 })).toMatchObject({
      topics: [{ name: "foreign", epoch }],
      nextPageToken: "",
    });
    expect(
      await unary("TopicService/UpdateTopic", {
        topic: "foreign",
        labels: { team: "b" },
        updateMask: { paths: ["labels"] },
      }),
    ).toMatchObject({ topic: { labels: { team: "b" }, limits } });
    expect(await unary("TopicService/TrimTopic", { topic: "foreign", beforeOffset: 2, epoch })).toMatchObject({
      topic: { earliestOffset: 2, nextOffset: 8 },
    });
    expect(await readAll({ topic: "foreign", start: { offset: 0 }, whenTrimmed: 2 })).toEqual(all.slice(2));
    expect(await unary("TopicService/CloseTopic", { topic: "foreign" })).toMatchObject({ topic: { closed: true } });
    expect(await unary("TopicService/DeleteTopic", { topic: "foreign" })).toEqual({});
    await expect(unary("TopicService/GetTopic", { topic: "foreign" })).rejects.toThrow("NOT_FOUND");

    // The state of a keyed topic: got, listed and watched.
    expect(await unary("TopicService/CreateTopic", { topic: "keyed", keyed: true })).toMatchObject({
      topic: { keyed: true },
    });
    const changes = [record({ text: "old" }, { key: "a" }), record({ text: "b" }, { key: "b" })];
    await unary("RecordService/Append", { topic: "keyed", records: changes });
    await unary("RecordService/Append", { topic: "keyed", records: [record({ text: "new" }, { key: "a" })] });
    const a = record({ text: "new" }, { key: "a", ...stamped(2) });
    const b = record({ text: "b" }, { key: "b", ...stamped(1) });
    expect(await unary("StateService/Get", { topic: "keyed", keys: ["a", "none"] })).toMatchObject({
      records: [a],
      next: { offset: 3 },
    });
    const listed: unknown[] = [];
    for await (const message of stream("StateService/List", { topic: "keyed" }))
      listed.push(...(message["records"] as unknown[]));
    expect(listed).toMatchObject([a, b]);
    const watch = stream("StateService/Watch", { topic: "keyed" });
    const watched: Message[] = [];
    for await (const message of watch) {
      watched.push(message);
      if (message["snapshotEnd"] !== undefined) break;
    }
    cancel(watch);
    expect(watched).toMatchObject([
      { records: [b, a], next: { offset: 3 } },
      { snapshotEnd: {}, next: { offset: 3 } },
    ]);

    const explained = { topic: "keyed", filter: 'key == "a" && size > 1', method: 3 };
    expect(await unary("InspectService/ExplainFilter", explained)).toMatchObject({
      parts: [
        { expression: 'key == "a"', place: 2 },
        { expression: "size > 1", place: 3 },
      ],
      indexes: ["latest_pkey", "blocks_pkey"],
      cost: 7,
    });

    await consumes();

    expect([...called].sort()).toEqual(
      Object.entries(constructors)
        .filter(([, each]) => "service" in each)
        .flatMap(([name, { service }]) => Object.keys(service).map((call) => `${name}/${call}`))
        .sort(),
    );
  });
});

/** A subscription from its creation to its end. */
async function consumes(): Promise<void> {
  const records = ["zero", "one", "two", "three"].map((text) => record({ text }));
  const { epoch } = await unary("RecordService/Append", { topic: "work", records });
  const created = {
    subscription: "s",
    topic: "work",
    start: { earliest: {} },
    sharing: 2,
    ackDeadline: { seconds: 5 },
  };
  const subscription = {
    name: "s",
    topic: "work",
    epoch,
    sharing: 2,
    ackDeadline: { seconds: 5, nanos: 0 },
    attemptsMax: 5,
    retryMin: { seconds: 1, nanos: 0 },
    retryMax: { seconds: 60, nanos: 0 },
    retryBacklog: 10_000,
    labels: {},
    paused: false,
    createTime: { seconds: expect.any(Number), nanos: expect.any(Number) },
  };
  expect(await unary("SubscriptionService/CreateSubscription", created)).toEqual({ subscription });
  expect(await unary("SubscriptionService/GetSubscription", { subscription: "s" })).toEqual({ subscription });
  expect(await unary("SubscriptionService/ListSubscriptions", { topic: "work" })).toEqual({
    subscriptions: [subscription],
    nextPageToken: "",
  });
  const update = { subscription: "s", labels: { team: "a" }, attemptsMax: 3, updateMask: { paths: ["attempts_max"] } };
  expect(await unary("SubscriptionService/UpdateSubscription", update)).toMatchObject({
    subscription: { attemptsMax: 3, labels: {} },
  });

  const consume = stream("SubscriptionService/Consume");
  const messages = consume[Symbol.asyncIterator]() as AsyncIterator<Message>;
  consume.write({ subscription: "s", window: { records: 2 }, consumer: "foreign" });
  const { started } = (await messages.next()).value as { started: { session: number } };
  const window = { records: 2, bytes: 4 * 1024 * 1024 };
  const cursor = { epoch, offset: 0 };
  expect(started).toEqual({
    session: expect.any(Number),
    cursor,
    window,
    ackDeadline: { seconds: 5, nanos: 0 },
    sharing: 2,
  });
  const stands = (offset: number) => ({
    ...record({ text: ["zero", "one", "two", "three"][offset] }),
    ...stamped(offset),
  });
  expect(await until(messages, ({ records: got }) => got.length === 2)).toMatchObject({
    records: [stands(0), stands(1)],
    attempts: [1, 1],
  });
  for await (const report of stream("SubscriptionService/DescribeSubscription", { subscription: "s", limit: 1 })) {
    expect(report).toMatchObject({
      cursor,
      lagRecords: 4,
      outstandingRecords: 2,
      consumers: [{ name: "foreign", window, outstandingRecords: 2, lastAcknowledgementTime: null, waiting: 2 }],
    });
  }
  const range = (firstOffset: number) => ({ firstOffset, nextOffset: firstOffset + 1 });
  consume.write({
    acknowledge: [
      { offsets: { firstOffset: 0 }, attempt: 1 },
      { offsets: { firstOffset: 1 }, attempt: 7 },
    ],
    park: [{ offsets: { firstOffset: 1 }, reason: "odd" }],
  });
  const isSettled = ({ confirmed }: Consumed) => confirmed.acknowledged.length + confirmed.parked.length === 2;
  expect(await until(messages, (got) => isSettled(got) && got.records.length === 2)).toMatchObject({
    records: [stands(2), stands(3)],
    confirmed: { acknowledged: [range(0)], parked: [range(1)], stale: [{ offsets: range(1), attempt: 7 }] },
  });

  const { session } = started;
  const outputs = [{ topic: "done", records: [record({ text: "both" })] }];
  const acknowledge = [{ offsets: { firstOffset: 2, nextOffset: 4 }, attempt: 1 }];
  expect(
    await unary("SubscriptionService/Commit", { subscription: "s", session, acknowledge, append: outputs }),
  ).toEqual({
    appended: [{ topic: "done", epoch: expect.any(Number), firstOffset: 0, nextOffset: 1 }],
  });
  expect(await readAll({ topic: "done" })).toMatchObject([{ text: "both" }]);
  consume.end();
  expect((await until(messages, () => false)).records).toEqual([]);

  const parked = { record: stands(1), parkTime: stamped(0).time, attempts: 1, reasons: ["odd"] };
  expect(await unary("SubscriptionService/ListParkedRecords", { subscription: "s", filter: 'text == "one"' })).toEqual({
    records: [parked],
    nextPageToken: "",
  });
  expect(await unary("SubscriptionService/GetParkedRecord", { subscription: "s", offset: 1 })).toEqual({
    record: parked,
  });
  expect(await unary("SubscriptionService/DiscardParkedRecords", { subscription: "s", offsets: [range(0)] })).toEqual({
    records: 0,
  });
  expect(await unary("SubscriptionService/RedriveParkedRecords", { subscription: "s", rate: 100 })).toEqual({
    records: 1,
  });
  expect(await unary("SubscriptionService/PauseSubscription", { subscription: "s" })).toMatchObject({
    subscription: { paused: true },
  });
  expect(await unary("SubscriptionService/ResumeSubscription", { subscription: "s" })).toMatchObject({
    subscription: { paused: false },
  });
  expect(await unary("SubscriptionService/SeekSubscription", { subscription: "s", start: { last: 1 } })).toMatchObject({
    cursor: { epoch, offset: 3 },
  });
  expect(await unary("SubscriptionService/DeleteSubscription", { subscription: "s" })).toEqual({});
}

interface Consumed {
  readonly records: unknown[];
  readonly attempts: number[];
  readonly confirmed: { acknowledged: unknown[]; parked: unknown[]; stale: unknown[] };
}

/** All that messages contain together, up to the first that is enough, or the call's end. */
async function until(messages: AsyncIterator<Message>, isEnough: (got: Consumed) => boolean): Promise<Consumed> {
  const got: Consumed = { records: [], attempts: [], confirmed: { acknowledged: [], parked: [], stale: [] } };
  while (!isEnough(got)) {
    const { done, value } = await messages.next();
    if (done === true) break;
    const { records, attempt, confirmed } = value as Message & { attempt: number } & Consumed;
    got.records.push(...records);
    got.attempts.push(...records.map(() => attempt));
    for (const verdict of ["acknowledged", "parked", "stale"] as const) {
      got.confirmed[verdict].push(...(confirmed?.[verdict] ?? []));
    }
  }
  return got;
}

async function readAll(request: Message): Promise<unknown[]> {
  const records: unknown[] = [];
  for await (const message of stream("RecordService/Read", request)) records.push(...(message["records"] as unknown[]));
  return records;
}
