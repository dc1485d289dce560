import { once } from "node:events";
import type { ClientReadableStream, ServiceError } from "@grpc/grpc-js";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { InspectServiceService } from "../../src/gen/millrace/v1/inspect_service.js";
import {
  FollowRequest,
  FollowRequest_WhenBehind,
  type FollowResponse,
  RecordServiceService,
} from "../../src/gen/millrace/v1/record_service.js";
import {
  CommitRequest,
  type DeepPartial,
  SeekSubscriptionRequest,
  Subscription_Sharing,
  CreateSubscriptionRequest,
  SubscriptionServiceService,
  UpdateSubscriptionRequest,
} from "../../src/gen/millrace/v1/subscription_service.js";
import {
  CreateTopicRequest,
  ListTopicsRequest,
  TopicServiceService,
  TrimTopicRequest,
  UpdateTopicRequest,
} from "../../src/gen/millrace/v1/topic_service.js";
import { closeAll } from "../rpc/rpc-server.js";
import { createTestDatabase, onPostgres, runOn, type TestDatabase } from "../support/database.js";
import { startPostgresServer } from "../support/postgres-server.js";
import {
  databaseArguments,
  killServerProcesses,
  type ServerProcess,
  startServerProcess,
} from "../support/server-process.js";
import { Caller, endOf, refusalOf, refused, text } from "./caller.js";

/** Every row of the table of statuses that a client can cause now, with its details. */

afterEach(closeAll);
afterAll(killServerProcesses);

const one = [text("x")];
/** A number that is in no enum. */
const unknown: number = 9;
const producer = (generation: number, sequence: number) => ({ id: "p", generation, sequence });

const subscribe = (caller: Caller, request: DeepPartial<CreateSubscriptionRequest>) =>
  caller.unary(
    SubscriptionServiceService.createSubscription,
    CreateSubscriptionRequest.fromPartial({ subscription: "s", topic: "t", ...request }),
  );

/**
 * Refusals on a topic `t` with epoch E that kept offsets 2 to 4, on a closed topic `closed` with one record, on a
 * SHARED subscription `s` of `t`, and on an EXCLUSIVE one, `x`.
 */
const rows: [what: string, call: (caller: Caller, epoch: number) => Promise<unknown>, expected: object][] = [
  [
    "a malformed name",
    (caller) => caller.append({ topic: "No Name", records: one }),
    { code: "INVALID_ARGUMENT", reason: "INVALID_ARGUMENT", fields: ["topic"] },
  ],
  [
    "a name that is not there",
    (caller) => caller.publish({ records: one }),
    { code: "INVALID_ARGUMENT", fields: ["topic"] },
  ],
  [
    "another name in the middle of a call",
    (caller) => caller.publish({ topic: "t", records: [] }, { topic: "u", records: one }),
    { code: "INVALID_ARGUMENT", fields: ["topic"] },
  ],
  [
    "a negative count",
    (caller) => caller.unary(TopicServiceService.listTopics, ListTopicsRequest.fromPartial({ pageSize: -1 })),
    { code: "INVALID_ARGUMENT", fields: ["page_size"] },
  ],
  [
    "a page token of somebody else",
    (caller) => caller.unary(TopicServiceService.listTopics, ListTopicsRequest.fromPartial({ pageToken: "?" })),
    { code: "INVALID_ARGUMENT", fields: ["page_token"] },
  ],
  [
    "too many streams a page",
    (caller) => caller.unary(InspectServiceService.listStreams, { topic: "", pageSize: 1001, pageToken: "" }),
    { code: "INVALID_ARGUMENT", fields: ["page_size"] },
  ],
  [
    "an unknown direction",
    (caller) => caller.read({ direction: unknown }),
    { code: "INVALID_ARGUMENT", fields: ["direction"] },
  ],
  [
    "an unknown policy",
    (caller) => caller.follow({ whenBehind: unknown }),
    { code: "INVALID_ARGUMENT", fields: ["when_behind"] },
  ],
  [
    "the newest none",
    (caller) => caller.read({ start: { at: { $case: "last", value: 0 } } }),
    { code: "INVALID_ARGUMENT", fields: ["start.last"] },
  ],
  ["no records", (caller) => caller.append({}), { code: "INVALID_ARGUMENT", fields: ["records"] }],
  [
    "an oversized record",
    (caller) => caller.append({ records: [text("small"), text("x".repeat(1_048_577))] }),
    { code: "INVALID_ARGUMENT", fields: ["records[1]"], text: expect.stringMatching(/1048576/) },
  ],
  [
    "an oversized batch",
    (caller) => caller.append({ records: [text("x".repeat(600_000)), text("x".repeat(600_000))] }),
    { code: "INVALID_ARGUMENT", fields: ["records"], text: expect.stringMatching(/1048576/) },
  ],
  [
    "too many records",
    (caller) => caller.append({ records: Array.from({ length: 1001 }, () => text("")) }),
    { code: "INVALID_ARGUMENT", fields: ["records"], text: expect.stringMatching(/1000/) },
  ],
  [
    "a key that is too long",
    (caller) => caller.append({ records: [{ ...text(""), key: "k".repeat(1025) }] }),
    { code: "INVALID_ARGUMENT", fields: ["records[0].key"], text: expect.stringMatching(/1024/) },
  ],
  [
    "a mask that names what cannot be changed",
    (caller) =>
      caller.unary(
        TopicServiceService.updateTopic,
        UpdateTopicRequest.fromPartial({ topic: "t", updateMask: ["name"] }),
      ),
    { code: "INVALID_ARGUMENT", fields: ["update_mask"] },
  ],
  [
    "reading a topic that is not there",
    (caller) => caller.read({ topic: "none" }),
    {
      code: "NOT_FOUND",
      reason: "TOPIC_NOT_FOUND",
      facts: { topic: "none" },
      resource: "millrace.v1.Topic none",
      text: 'There is no topic "none"',
    },
  ],
  [
    "describing a topic that is not there",
    (caller) => caller.unary(TopicServiceService.getTopic, { topic: "none" }),
    { code: "NOT_FOUND", reason: "TOPIC_NOT_FOUND", resource: "millrace.v1.Topic none" },
  ],
  [
    "creating a topic that is there",
    (caller) => caller.unary(TopicServiceService.createTopic, CreateTopicRequest.fromPartial({ topic: "t" })),
    { code: "ALREADY_EXISTS", reason: "TOPIC_EXISTS", facts: { topic: "t" }, resource: "millrace.v1.Topic t" },
  ],
  [
    "an expected offset that does not match",
    (caller) => caller.append({ records: one, expectedOffset: 3 }),
    {
      code: "ABORTED",
      reason: "OFFSET_MISMATCH",
      facts: { topic: "t", expected_offset: "3", next_offset: "5" },
      text: 'Cannot append to topic "t" at offset 3: it ends at 5',
    },
  ],
  [
    "a gap in a producer's sequence",
    (caller) => caller.append({ records: one, producer: producer(2, 7) }),
    { code: "FAILED_PRECONDITION", reason: "PRODUCER_GAP", facts: { producer_id: "p", expected_sequence: "1" } },
  ],
  [
    "a stale generation",
    (caller) => caller.publish({ topic: "t", records: one, producer: producer(1, 1) }),
    { code: "FAILED_PRECONDITION", reason: "PRODUCER_FENCED", facts: { producer_id: "p", expected_generation: "2" } },
  ],
  [
    "appending to another incarnation",
    (caller, epoch) => caller.append({ records: one, epoch: epoch + 1 }),
    {
      code: "FAILED_PRECONDITION",
      reason: "EPOCH_MISMATCH",
      facts: { topic: "t", epoch: "E", requested_epoch: "E+1" },
    },
  ],
  [
    "reading from a position of another incarnation",
    (caller, epoch) => caller.read({ start: { at: { $case: "position", value: { epoch: epoch + 1, offset: 2 } } } }),
    {
      code: "FAILED_PRECONDITION",
      reason: "EPOCH_MISMATCH",
      facts: { topic: "t", epoch: "E", requested_epoch: "E+1" },
    },
  ],
  [
    "appending to a closed topic",
    (caller) => caller.append({ topic: "closed", records: one }),
    {
      code: "FAILED_PRECONDITION",
      reason: "TOPIC_CLOSED",
      facts: { topic: "closed", next_offset: "1" },
      resource: "millrace.v1.Topic closed",
    },
  ],
  [
    "reading what is no longer kept",
    (caller) => caller.read({ start: { at: { $case: "offset", value: 1 } } }),
    {
      code: "OUT_OF_RANGE",
      reason: "OFFSET_OUT_OF_RANGE",
      facts: { topic: "t", epoch: "E", offset: "1", earliest_offset: "2", next_offset: "5" },
      text: 'Cannot read topic "t" at offset 1: records below 2 are no longer kept',
    },
  ],
  [
    "following from above the end",
    (caller, epoch) => caller.follow({ start: { at: { $case: "position", value: { epoch, offset: 6 } } } }),
    {
      code: "OUT_OF_RANGE",
      reason: "OFFSET_OUT_OF_RANGE",
      facts: { topic: "t", epoch: "E", offset: "6", earliest_offset: "2", next_offset: "5" },
      text: 'Cannot read topic "t" at offset 6: its next offset is 5',
    },
  ],
  [
    "trimming above the end",
    (caller) =>
      caller.unary(TopicServiceService.trimTopic, TrimTopicRequest.fromPartial({ topic: "t", beforeOffset: 6 })),
    { code: "OUT_OF_RANGE", reason: "OFFSET_OUT_OF_RANGE", facts: { next_offset: "5" } },
  ],
  [
    "a subscription without a name",
    (caller) => subscribe(caller, { subscription: "" }),
    { code: "INVALID_ARGUMENT", fields: ["subscription"] },
  ],
  [
    "a deadline that is too short",
    (caller) => subscribe(caller, { ackDeadline: { nanos: 999_000_000 } }),
    { code: "INVALID_ARGUMENT", fields: ["ack_deadline"], text: expect.stringMatching(/1000 to 43200000 ms/) },
  ],
  [
    "a fraction of a millisecond",
    (caller) => subscribe(caller, { ackDeadline: { seconds: 1, nanos: 1 } }),
    { code: "INVALID_ARGUMENT", fields: ["ack_deadline"], text: expect.stringMatching(/whole/) },
  ],
  [
    "a mask that names what a subscription cannot change",
    (caller) =>
      caller.unary(
        SubscriptionServiceService.updateSubscription,
        UpdateSubscriptionRequest.fromPartial({ subscription: "s", updateMask: ["sharing"] }),
      ),
    { code: "INVALID_ARGUMENT", fields: ["update_mask"] },
  ],
  [
    "subscribing to a topic that is not there",
    (caller) => subscribe(caller, { topic: "none" }),
    { code: "NOT_FOUND", reason: "TOPIC_NOT_FOUND", resource: "millrace.v1.Topic none" },
  ],
  [
    "creating a subscription that is there",
    (caller) => subscribe(caller, {}),
    {
      code: "ALREADY_EXISTS",
      reason: "SUBSCRIPTION_EXISTS",
      facts: { subscription: "s" },
      resource: "millrace.v1.Subscription s",
    },
  ],
  [
    "a subscription that would begin above the end",
    (caller) => subscribe(caller, { subscription: "new", start: { at: { $case: "offset", value: 6 } } }),
    { code: "OUT_OF_RANGE", reason: "OFFSET_OUT_OF_RANGE", facts: { next_offset: "5" } },
  ],
  [
    "moving a cursor to another incarnation",
    (caller, epoch) =>
      caller.unary(
        SubscriptionServiceService.seekSubscription,
        SeekSubscriptionRequest.fromPartial({
          subscription: "s",
          start: { at: { $case: "position", value: { epoch: epoch + 1, offset: 2 } } },
        }),
      ),
    { code: "FAILED_PRECONDITION", reason: "EPOCH_MISMATCH", facts: { epoch: "E", requested_epoch: "E+1" } },
  ],
  [
    "describing a subscription that is not there",
    (caller) => caller.unary(SubscriptionServiceService.getSubscription, { subscription: "none" }),
    {
      code: "NOT_FOUND",
      reason: "SUBSCRIPTION_NOT_FOUND",
      facts: { subscription: "none" },
      resource: "millrace.v1.Subscription none",
      text: 'There is no subscription "none"',
    },
  ],
  [
    "a record that is not parked",
    (caller) => caller.unary(SubscriptionServiceService.getParkedRecord, { subscription: "s", offset: 3 }),
    { code: "NOT_FOUND", reason: "PARKED_NOT_FOUND", facts: { subscription: "s", offset: "3" } },
  ],
  [
    "committing what was not delivered",
    (caller) =>
      caller.unary(
        SubscriptionServiceService.commit,
        CommitRequest.fromPartial({ subscription: "s", session: 1, acknowledge: [{ offsets: { firstOffset: 2 } }] }),
      ),
    { code: "FAILED_PRECONDITION", reason: "STALE_DELIVERY", facts: { subscription: "s", offsets: "2" } },
  ],
  [
    "a record of an output that is too long in its key",
    (caller) =>
      caller.unary(
        SubscriptionServiceService.commit,
        CommitRequest.fromPartial({
          subscription: "s",
          session: 1,
          acknowledge: [{ offsets: {} }],
          append: [{ topic: "u", records: [{}, { key: "k".repeat(1025) }] }],
        }),
      ),
    { code: "INVALID_ARGUMENT", fields: ["append[0].records[1].key"] },
  ],
  [
    "consuming what is not there",
    (caller) => caller.consume({ subscription: "none" }).end,
    { code: "NOT_FOUND", reason: "SUBSCRIPTION_NOT_FOUND", resource: "millrace.v1.Subscription none" },
  ],
  [
    "an ephemeral consumer that would begin above the end",
    (caller) => caller.consume({ topic: "t", start: { at: { $case: "offset", value: 6 } } }).end,
    { code: "OUT_OF_RANGE", reason: "OFFSET_OUT_OF_RANGE", facts: { topic: "t", next_offset: "5" } },
  ],
  [
    "a window that is too large",
    (caller) => caller.consume({ subscription: "s", window: { records: 100_001 } }).end,
    { code: "INVALID_ARGUMENT", fields: ["window.records"], text: expect.stringMatching(/100000/) },
  ],
  [
    "an acknowledgement of no records",
    (caller) =>
      caller.consume({ subscription: "s" }, { acknowledge: [{ offsets: { firstOffset: 3, nextOffset: 3 } }] }).end,
    { code: "INVALID_ARGUMENT", fields: ["acknowledge[0].offsets.next_offset"] },
  ],
  [
    "an older consumer of an EXCLUSIVE subscription",
    async (caller) => {
      const older = caller.consume({ subscription: "x" });
      await once(older.stream, "data");
      const newer = caller.consume({ subscription: "x" });
      await older.end.finally(() => newer.stream.cancel());
    },
    { code: "FAILED_PRECONDITION", reason: "CONSUMER_FENCED", facts: { subscription: "x" } },
  ],
  [
    "one consumer more than a subscription may have",
    async (caller) => {
      const held = [caller.consume({ subscription: "s" }), caller.consume({ subscription: "s" })];
      for (const { stream } of held) await once(stream, "data");
      await caller.consume({ subscription: "s" }).end.finally(() => held.forEach(({ stream }) => stream.cancel()));
    },
    {
      code: "RESOURCE_EXHAUSTED",
      reason: "CONSUMER_LIMIT",
      facts: { subscription: "s", limit: "2" },
      retryAfterMs: expect.any(Number),
    },
  ],
  [
    "consuming what is deleted meanwhile",
    async (caller) => {
      await subscribe(caller, { subscription: "deleted" });
      const { stream, end } = caller.consume({ subscription: "deleted" });
      await once(stream, "data");
      await caller.unary(SubscriptionServiceService.deleteSubscription, { subscription: "deleted" });
      await end;
    },
    { code: "NOT_FOUND", reason: "SUBSCRIPTION_NOT_FOUND", facts: { subscription: "deleted" } },
  ],
  [
    "one topic more than publishing may create",
    async (caller) => {
      await caller.append({ topic: "created", records: one });
      await caller.append({ topic: "not-created", records: one });
    },
    { code: "RESOURCE_EXHAUSTED", reason: "TOPIC_LIMIT", facts: { topic: "not-created", limit: "1" } },
  ],
  [
    "a message over the receive limit",
    (caller) => caller.append({ records: [text("x".repeat(4_194_304))] }),
    { code: "RESOURCE_EXHAUSTED", text: expect.stringMatching(/larger than max/) },
  ],
];

describe.each(onPostgres)("on %s", (kind) => {
  let database: TestDatabase;
  let server: ServerProcess;
  let caller: Caller;

  // A start takes seconds on the embedded database, and the last test stops it.
  beforeAll(async () => {
    database = await createTestDatabase(kind);
    server = await start([
      ...databaseArguments(database.connection),
      "--auto-created-topics",
      "1",
      "--consumers-per-subscription",
      "2",
    ]);
  });
  beforeEach(() => {
    caller = new Caller(server.address);
  });
  afterAll(async () => {
    await server.stop();
    await database.drop();
  });

  test("each refusal has its status, and details that a program can act on", async () => {
    for (const topic of ["t", "closed"]) {
      await caller.unary(TopicServiceService.createTopic, CreateTopicRequest.fromPartial({ topic }));
    }
    const { epoch } = await caller.append({ records: [text("0"), text("1"), text("2"), text("3")] });
    await caller.append({ records: one, producer: producer(2, 0) });
    await caller.append({ topic: "closed", records: one });
    await caller.unary(TopicServiceService.trimTopic, { topic: "t", beforeOffset: 2, epoch });
    await caller.unary(TopicServiceService.closeTopic, { topic: "closed" });
    await subscribe(caller, { start: { at: { $case: "earliest", value: {} } } });
    await subscribe(caller, { subscription: "x", sharing: Subscription_Sharing.EXCLUSIVE });
    const known = new Map([
      [String(epoch), "E"],
      [String(epoch + 1), "E+1"],
    ]);
    for (const [what, call, expected] of rows) {
      const refusal = await refused(call(caller, epoch));
      const facts = Object.entries(refusal.facts ?? {}).map(([name, value]) => [name, known.get(value) ?? value]);
      expect({ ...refusal, facts: Object.fromEntries(facts) }, what).toMatchObject(expected);
    }
    // Nothing of this was written.
    expect(await caller.unary(TopicServiceService.getTopic, { topic: "t" })).toMatchObject({
      topic: { earliestOffset: 2, nextOffset: 5 },
    });
  });

  test("a deleted topic and a draining node send followers their position, and inform consumers", async () => {
    const follows = await Promise.all(
      ["gone", "kept"].map(async (topic) => {
        await caller.unary(TopicServiceService.createTopic, CreateTopicRequest.fromPartial({ topic }));
        const { epoch } = await caller.append({ topic, records: one });
        return { epoch, ...(await openFollow(caller, topic)) };
      }),
    );
    const [gone, kept] = follows;
    await caller.unary(TopicServiceService.deleteTopic, { topic: "gone", epoch: 0 });
    expect(await refused(gone?.end ?? Promise.resolve())).toMatchObject({
      code: "NOT_FOUND",
      reason: "TOPIC_DELETED",
      facts: { topic: "gone", epoch: String(gone?.epoch), offset: "1" },
      resource: "millrace.v1.Topic gone",
    });
    const consumed = caller.consume({ topic: "kept" });
    await once(consumed.stream, "data");
    expect(await server.stop()).toBe(0);
    const expected = { code: "UNAVAILABLE", reason: "DRAINING", retryAfterMs: expect.any(Number) };
    expect(await refused(kept?.end ?? Promise.resolve())).toMatchObject({
      ...expected,
      facts: { topic: "kept", epoch: String(kept?.epoch), offset: "1" },
    });
    // A consumer knows its own records.
    expect(await refused(consumed.end)).toMatchObject({ ...expected, facts: { topic: "kept" } });
  });
});

test("what exceeds a bound is refused: a batch with a retry delay, a follower with its position", async () => {
  const database = await createTestDatabase("postgres");
  const limits = ["--publish-topic-bytes", "200000", "--append-wait-ms", "0", "--tail-topic-bytes", "0"];
  const server = await start([...databaseArguments(database.connection), ...limits]);
  const caller = new Caller(server.address);
  const outcomes = await Promise.allSettled(
    Array.from({ length: 100 }, () => caller.append({ records: [text("x".repeat(100_000))] })),
  );
  const refusals = outcomes.flatMap((each) =>
    each.status === "rejected" ? [refusalOf(each.reason as ServiceError)] : [],
  );
  expect(refusals.length).toBeGreaterThan(0);
  for (const refusal of refusals) {
    expect(refusal).toMatchObject({
      code: "RESOURCE_EXHAUSTED",
      reason: "PUBLISH_BUDGET_EXCEEDED",
      retryAfterMs: 250,
      text: expect.stringMatching(/MILLRACE_PUBLISH_TOPIC_BYTES/),
    });
  }
  // All that was not refused is there, and nothing else.
  expect(await caller.unary(TopicServiceService.getTopic, { topic: "t" })).toMatchObject({
    topic: { nextOffset: 100 - refusals.length },
  });

  await caller.append({ topic: "followed", records: one });
  const { end } = await openFollow(caller, "followed", { whenBehind: FollowRequest_WhenBehind.FAIL });
  await caller.append({ topic: "followed", records: one });
  expect(await refused(end)).toMatchObject({
    code: "OUT_OF_RANGE",
    reason: "FELL_BEHIND",
    facts: { topic: "followed", offset: "1", earliest_offset: "0", next_offset: "2" },
  });
  await server.stop();
  await database.drop();
});

test("a database that is away is UNAVAILABLE, with a retry delay, and whether the change was applied", async () => {
  const postgres = await startPostgresServer(["fsync=off"]);
  try {
    const server = await start(["--database-url", postgres.url, "--pool-wait-ms", "200"]);
    const caller = new Caller(server.address);
    await caller.append({ records: one });
    await postgres.stop();
    const expected = { code: "UNAVAILABLE", reason: "DATABASE_UNAVAILABLE", retryAfterMs: expect.any(Number) };
    expect(await refused(caller.append({ records: one }))).toMatchObject({
      ...expected,
      facts: { outcome: expect.stringMatching(/^(unknown|not-applied)$/) },
    });
    expect(await refused(caller.read({}))).toMatchObject(expected);
    expect(await refused(caller.follow({}))).toMatchObject(expected);
    expect(await refused(caller.unary(TopicServiceService.getTopic, { topic: "t" }))).toMatchObject(expected);
    await postgres.start();
    // As the answer says, not at once: new connections are tried with a backoff.
    const readAgain = () =>
      caller.read({}).then(
        (messages) => messages.length,
        () => 0,
      );
    await expect.poll(readAgain, { timeout: 20_000 }).toBe(1);
    await server.stop();
  } finally {
    await postgres.remove();
  }
});

test("a database that went back in time is DATA_LOSS, and gives its topic a new epoch", async () => {
  const database = await createTestDatabase("postgres");
  const server = await start(databaseArguments(database.connection));
  const caller = new Caller(server.address);
  const { epoch } = await caller.append({ records: [text("0")] });
  await caller.append({ records: [text("1"), text("2")] });
  const { end } = await openFollow(caller, "t");
  const { connection } = database;
  if (connection.kind !== "postgres") throw new Error("The database is not a Postgres");
  await runOn(connection.url, "delete from millrace.blocks where first_offset = 1");
  expect(await refused(end)).toMatchObject({
    code: "DATA_LOSS",
    reason: "DATA_LOSS",
    facts: { topic: "t", epoch: String(epoch) },
  });
  expect(await refused(caller.append({ records: one, epoch }))).toMatchObject({ reason: "EPOCH_MISMATCH" });
  expect(await caller.append({ records: one })).toMatchObject({ firstOffset: 1, nextOffset: 2 });
  await server.stop();
  await database.drop();
});

function start(args: readonly string[]): Promise<ServerProcess> {
  return startServerProcess(["--listen", "127.0.0.1:0", "--log-level", "error", ...args]);
}

/** A follower that was informed that it is live, and how its call ends. */
async function openFollow(caller: Caller, topic: string, more: Partial<FollowRequest> = {}) {
  const { path, requestSerialize, responseDeserialize } = RecordServiceService.follow;
  const request = FollowRequest.fromPartial({ topic, ...more });
  const stream: ClientReadableStream<FollowResponse> = caller.client.makeServerStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
    request,
  );
  const end = endOf(stream);
  end.catch(() => undefined);
  let message: FollowResponse | undefined;
  while (message?.event?.$case !== "caughtUp") [message] = (await once(stream, "data")) as [FollowResponse];
  return { end };
}
