import { type ServiceError, status } from "@grpc/grpc-js";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { FollowMessage, PublishBatch, ReadMessage } from "../../src/engine/index.js";
import {
  AppendRequest,
  type DeepPartial,
  FollowRequest,
  type FollowResponse,
  PublishRequest,
  type PublishResponse,
  ReadRequest,
  type ReadResponse,
  RecordServiceService as Shapes,
} from "../../src/gen/millrace/v1/record_service.js";
import { LiveStream_Waiting, InspectServiceService } from "../../src/gen/millrace/v1/inspect_service.js";
import { framesOf } from "../support/frames.js";
import { callUnary, closeAll, drainStream, startServer, type TestServer } from "./rpc-server.js";

afterEach(closeAll);

const producer = { id: "p", generation: 2, sequence: 3 };
const records = [{ key: "a", body: { $case: "text" as const, value: "one" } }, { key: "b" }];

function read({ client }: TestServer, request: DeepPartial<ReadRequest>) {
  const { path, requestSerialize, responseDeserialize } = Shapes.read;
  return client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, ReadRequest.fromPartial(request));
}

function follow({ client }: TestServer, request: DeepPartial<FollowRequest>) {
  const { path, requestSerialize, responseDeserialize } = Shapes.follow;
  return client.makeServerStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
    FollowRequest.fromPartial(request),
  );
}

function publish({ client }: TestServer) {
  return client.makeBidiStreamRequest(
    Shapes.publish.path,
    Shapes.publish.requestSerialize,
    Shapes.publish.responseDeserialize,
  );
}

describe("Append", () => {
  test("gives the engine its records undecoded, with the other fields", async () => {
    let asked: unknown;
    const { client } = await startServer({
      append: async (command) => {
        asked = command;
        return { firstOffset: 0, nextOffset: 2, epoch: 5, isRepeated: true };
      },
    });
    const request = AppendRequest.fromPartial({ topic: "t", records, expectedOffset: 0, producer, epoch: 5 });
    expect(await callUnary(client, Shapes.append, request)).toEqual({
      firstOffset: 0,
      nextOffset: 2,
      epoch: 5,
      repeated: true,
    });
    expect(asked).toMatchObject({ topic: "t", expectedOffset: 0, producer, epoch: 5, batch: { ends: { length: 2 } } });
  });

  const refused: [string, DeepPartial<AppendRequest>][] = [
    ["topic", { records }],
    ["records", { topic: "t" }],
    ["records", { topic: "t", records: Array.from({ length: 1001 }, () => ({})) }],
    ["records\\[1\\].key", { topic: "t", records: [{}, { key: "x".repeat(1025) }] }],
    ["records\\[0\\]", { topic: "t", records: [{ body: { $case: "data", value: new Uint8Array(1024 * 1024) } }] }],
    ["producer.id", { topic: "t", records, producer: { id: "" } }],
    ["producer.id", { topic: "t", records, producer: { id: "x".repeat(129) } }],
    ["producer.id", { topic: "t", records, producer: { id: "a\0" } }],
  ];
  for (const [field, request] of refused) {
    test(`refuses ${field}: ${JSON.stringify(request).slice(0, 60)}`, async () => {
      const { client } = await startServer({});
      const error = (await callUnary(client, Shapes.append, AppendRequest.fromPartial(request))) as ServiceError;
      expect(error.code).toBe(status.INVALID_ARGUMENT);
      expect(error.details).toMatch(new RegExp(`^${field}: `));
    });
  }
});

describe("Publish", () => {
  /** An engine that acknowledges each batch and keeps it. */
  async function start() {
    const taken: PublishBatch[] = [];
    const openings: unknown[] = [];
    const server = await startServer({
      publish: async function* (opening, batches) {
        openings.push(opening);
        for (let offset = 0; ; ) {
          const { done, value } = await batches.next();
          if (done === true) return;
          taken.push(value);
          yield { firstOffset: offset, nextOffset: offset + value.batch.ends.length, epoch: 5, isRepeated: false };
          offset += value.batch.ends.length;
        }
      },
    });
    return { server, taken, openings };
  }

  test("opens with its first message, which is the first batch", async () => {
    const { server, taken, openings } = await start();
    const stream = publish(server);
    stream.write(PublishRequest.fromPartial({ topic: "t", records, expectedOffset: 0, producer, epoch: 5 }));
    stream.write(PublishRequest.fromPartial({ records }));
    stream.end(PublishRequest.fromPartial({ topic: "t", records: [{}] }));
    const { messages, error } = await drainStream<PublishResponse>(stream);
    expect(error).toBeUndefined();
    expect(messages.map(({ firstOffset, nextOffset }) => [firstOffset, nextOffset])).toEqual([
      [0, 2],
      [2, 4],
      [4, 5],
    ]);
    expect(openings).toEqual([{ topic: "t", producer, epoch: 5 }]);
    expect(taken.map(({ expectedOffset }) => expectedOffset)).toEqual([0, undefined, undefined]);
  });

  test("may open without records", async () => {
    const { server } = await start();
    const stream = publish(server);
    stream.end(PublishRequest.fromPartial({ topic: "t" }));
    expect(await drainStream<PublishResponse>(stream)).toMatchObject({
      messages: [{ nextOffset: 0 }],
      error: undefined,
    });
  });

  const later: [string, DeepPartial<PublishRequest>[], number][] = [
    ["topic", [], 0],
    ["topic", [{ records }], 0],
    [
      "topic",
      [
        { topic: "t", records },
        { topic: "other", records },
      ],
      1,
    ],
    ["records", [{ topic: "t", records }, {}], 1],
    ["producer.id", [{ topic: "t", records, producer: { id: "" } }], 0],
    ["records\\[0\\].key", [{ topic: "t", records }, { records: [{ key: "\0" }] }], 1],
  ];
  for (const [field, requests, acknowledged] of later) {
    test(`refuses ${field} after ${acknowledged} batches: ${JSON.stringify(requests).slice(0, 60)}`, async () => {
      const { server } = await start();
      const stream = publish(server);
      for (const request of requests) stream.write(PublishRequest.fromPartial(request));
      stream.end();
      const { messages, error } = await drainStream(stream);
      expect(messages).toHaveLength(acknowledged);
      expect(error?.code).toBe(status.INVALID_ARGUMENT);
      expect(error?.details).toMatch(new RegExp(`^${field}: `));
    });
  }
});

describe("Read", () => {
  test("sends a page unchanged, and reports what was skipped and where it ends", async () => {
    const next = { epoch: 5, offset: 12 };
    const frames = framesOf([3, 4], 10).bytes;
    const before = Buffer.from(frames);
    const messages: ReadMessage[] = [
      {
        kind: "skipped",
        reason: "trimmed",
        firstOffset: 0,
        nextOffset: 10,
        next: { epoch: 5, offset: 10 },
        endOffset: 12,
      },
      { kind: "page", runs: [frames], records: 2, next },
    ];
    const server = await startServer({
      read: async function* () {
        yield* messages;
      },
    });
    const got = await drainStream<ReadResponse>(read(server, { topic: "t" }));
    expect(got.messages[0]).toEqual({
      records: [],
      next: { epoch: 5, offset: 10 },
      skipped: { firstOffset: 0, nextOffset: 10, reason: 1 },
      endOffset: 12,
    });
    expect(got.messages[1]).toMatchObject({ records: [{ offset: 10 }, { offset: 11 }], next, endOffset: undefined });
    expect(frames).toEqual(before);
    expect(await server.metrics.recordsOut.get()).toMatchObject({ values: [{ value: 2 }] });
  });

  const commands: [string, DeepPartial<ReadRequest>, object][] = [
    [
      "its defaults",
      {},
      { start: undefined, direction: "forward", until: { at: "end" }, limit: 0, whenTrimmed: "fail" },
    ],
    ["an empty start", { start: {} }, { start: undefined }],
    ["earliest", { start: { at: { $case: "earliest", value: {} } } }, { start: { at: "earliest" } }],
    [
      "latest",
      { start: { at: { $case: "latest", value: {} } }, direction: 2 },
      { start: { at: "latest" }, direction: "backward" },
    ],
    [
      "a position",
      { start: { at: { $case: "position", value: { epoch: 5 } } } },
      { start: { at: "position", position: { epoch: 5, offset: 0 } } },
    ],
    ["an offset", { start: { at: { $case: "offset", value: 9 } } }, { start: { at: "offset", offset: 9 } }],
    [
      "a time, rounded up",
      { start: { at: { $case: "time", value: { seconds: 1, nanos: 1 } } } },
      { start: { at: "time", timeMicros: 1_000_001 } },
    ],
    [
      "a time beyond all records",
      { start: { at: { $case: "time", value: { seconds: 253_402_300_799, nanos: 0 } } } },
      { start: { at: "time", timeMicros: Number.MAX_SAFE_INTEGER } },
    ],
    [
      "the last",
      { start: { at: { $case: "last", value: 3 } }, limit: 2 },
      { start: { at: "last", count: 3 }, limit: 2 },
    ],
    ["until an offset", { until: { at: { $case: "offset", value: 4 } } }, { until: { at: "offset", offset: 4 } }],
    [
      "until a time",
      { until: { at: { $case: "time", value: { seconds: -1, nanos: 0 } } } },
      { until: { at: "time", timeMicros: -1_000_000 } },
    ],
    ["skipping", { whenTrimmed: 2 }, { whenTrimmed: "skip" }],
  ];
  for (const [what, request, command] of commands) {
    test(`requests ${what}`, async () => {
      let asked: unknown;
      const server = await startServer({
        read: async function* (given) {
          asked = given;
        },
      });
      expect(await drainStream(read(server, { topic: "t", ...request }))).toEqual({ messages: [], error: undefined });
      expect(asked).toMatchObject({ topic: "t", ...command });
    });
  }

  const refused: [string, DeepPartial<ReadRequest>][] = [
    ["topic", { topic: "" }],
    ["direction", { direction: Number(7) }],
    ["when_trimmed", { whenTrimmed: Number(3) }],
    ["start.last", { start: { at: { $case: "last", value: 0 } } }],
    ["start.time.nanos", { start: { at: { $case: "time", value: { seconds: 0, nanos: -1 } } } }],
    ["start.time.seconds", { start: { at: { $case: "time", value: { seconds: 253_402_300_800, nanos: 0 } } } }],
    ["until.time.nanos", { until: { at: { $case: "time", value: { seconds: 0, nanos: 1_000_000_000 } } } }],
  ];
  for (const [field, request] of refused) {
    test(`refuses ${field}: ${JSON.stringify(request)}`, async () => {
      const { error } = await drainStream(read(await startServer({}), { topic: "t", ...request }));
      expect(error?.code).toBe(status.INVALID_ARGUMENT);
      expect(error?.details).toMatch(new RegExp(`^${field}: `));
    });
  }
});

describe("Follow", () => {
  test("sends each kind of event", async () => {
    const next = { epoch: 5, offset: 0 };
    const sent: FollowMessage[] = [
      { kind: "started", earliestOffset: 0, nextOffset: 7, next },
      { kind: "caught-up", next },
      { kind: "fell-behind", lag: 9, next },
      { kind: "skipped", reason: "behind", firstOffset: 1, nextOffset: 2, next },
      { kind: "heartbeat", nextOffset: 7, waiting: "new-records", next },
      { kind: "heartbeat", nextOffset: 7, waiting: "database", next },
      { kind: "page", runs: [framesOf([1], 0).bytes], records: 1, next },
      { kind: "closed", next },
    ];
    const server = await startServer({
      follow: async function* () {
        yield* sent;
      },
    });
    const { messages, error } = await drainStream<FollowResponse>(follow(server, { topic: "t" }));
    expect(error).toBeUndefined();
    expect(messages.map((message) => message.next)).toEqual(sent.map(() => next));
    expect(messages.map(({ event }) => event)).toEqual([
      { $case: "started", value: { earliestOffset: 0, nextOffset: 7 } },
      { $case: "caughtUp", value: {} },
      { $case: "fellBehind", value: { lag: 9 } },
      { $case: "skipped", value: { firstOffset: 1, nextOffset: 2, reason: 2 } },
      { $case: "heartbeat", value: { nextOffset: 7, waiting: 1 } },
      { $case: "heartbeat", value: { nextOffset: 7, waiting: 2 } },
      undefined,
      { $case: "closed", value: {} },
    ]);
    expect(messages[6]?.records).toHaveLength(1);
  });

  test("passes `when_behind` on, and refuses an unknown value", async () => {
    let asked: unknown;
    const server = await startServer({
      follow: async function* (command) {
        asked = command;
      },
    });
    await drainStream(follow(server, { topic: "t", whenBehind: 3, whenTrimmed: 2 }));
    expect(asked).toEqual({ topic: "t", start: undefined, whenBehind: "fail", whenTrimmed: "skip" });
    const { error } = await drainStream(follow(server, { topic: "t", whenBehind: Number(9) }));
    expect(error?.details).toBe("when_behind: has no value 9; the known values are 0, 1, 2, 3");
  });

  test("is listed by InspectService while it lives, in pages", async () => {
    const server = await startServer({
      follow: async function* (_, stream, signal) {
        stream.nextOffset = 4;
        stream.measureLag(() => 3);
        yield { kind: "caught-up", next: { epoch: 5, offset: 4 } };
        stream.waitFor("new-records");
        await new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      },
    });
    for (const topic of ["a", "b", "a"]) {
      const stream = follow(server, { topic });
      stream.on("error", () => undefined);
      await new Promise((resolve) => stream.once("data", resolve));
    }
    const list = (topic: string, pageSize: number, pageToken: string) =>
      callUnary(server.client, InspectServiceService.listStreams, { topic, pageSize, pageToken });
    await vi.waitFor(async () =>
      expect(await list("a", 1, "")).toMatchObject({
        streams: [
          {
            id: 1,
            method: "/millrace.v1.RecordService/Follow",
            topic: "a",
            nextOffset: 4,
            lag: 3,
            messagesSent: 1,
            waiting: LiveStream_Waiting.NEW_RECORDS,
          },
        ],
      }),
    );
    const first = await list("a", 1, "");
    if (first instanceof Error) throw first;
    expect(await list("a", 1, first.nextPageToken)).toMatchObject({ streams: [{ id: 3 }], nextPageToken: "" });
    expect(await list("", 0, "")).toMatchObject({ streams: [{ id: 1 }, { id: 2 }, { id: 3 }] });
    expect(await list("", 0, "x")).toMatchObject({ code: status.INVALID_ARGUMENT });
  });
});
