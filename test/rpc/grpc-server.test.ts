import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { type ServiceError, status } from "@grpc/grpc-js";
import fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { FollowMessage } from "../../src/engine/index.js";
import { ServerReflectionService } from "../../src/gen/grpc/reflection/v1/reflection.js";
import { InspectServiceService } from "../../src/gen/millrace/v1/inspect_service.js";
import { RecordServiceService } from "../../src/gen/millrace/v1/record_service.js";
import { TopicServiceService } from "../../src/gen/millrace/v1/topic_service.js";
import {
  callUnary,
  closeAll,
  drainStream,
  errorInfo,
  rawCall,
  rawMethod,
  startServer,
  type TestServer,
} from "./rpc-server.js";

afterEach(closeAll);

const methods = [TopicServiceService, RecordServiceService, InspectServiceService, ServerReflectionService].flatMap(
  (service) => Object.values<{ path: string; requestStream: boolean; responseStream: boolean }>(service),
);

/** Sends one message of any bytes to any method. Returns the call's status. */
async function send(
  { client }: TestServer,
  method: (typeof methods)[number],
  bytes: Uint8Array,
): Promise<ServiceError | undefined> {
  const { path, requestSerialize, responseDeserialize } = rawMethod(method.path);
  const message = Buffer.from(bytes);
  if (!method.responseStream) {
    const got = await callUnary(client, rawMethod(method.path), message);
    return got instanceof Error ? (got as ServiceError) : undefined;
  }
  if (!method.requestStream) {
    const stream = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, message);
    return (await drainStream(stream)).error;
  }
  const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
  stream.end(message);
  return (await drainStream(stream)).error;
}

/** A follow of a topic: sends its start, then the given messages, or waits for ever. */
function following(pages: Iterable<FollowMessage> = []) {
  return async function* (
    _: unknown,
    __: unknown,
    signal: AbortSignal,
  ): AsyncGenerator<FollowMessage, void, undefined> {
    yield { kind: "started", earliestOffset: 0, nextOffset: 7, next: { epoch: 3, offset: 7 } };
    yield* pages;
    await new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  };
}

function* largePages(): Generator<FollowMessage> {
  for (;;) yield { kind: "page", runs: [Buffer.alloc(64 * 1024)], records: 1, next: { epoch: 3, offset: 8 } };
}

function follow({ client }: TestServer) {
  const { path, requestSerialize, responseDeserialize } = RecordServiceService.follow;
  const request = { topic: "orders", start: undefined, whenBehind: 0, whenTrimmed: 0, filter: "" };
  return client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request);
}

describe("invalid requests", () => {
  for (const method of methods) {
    test(`${method.path} refuses bytes that are not its request`, async () => {
      const server = await startServer({});
      // A length-delimited field 1 that ends before it is complete.
      const error = await send(server, method, Buffer.from([0x0a, 0x7f, 0x01]));
      expect(error?.code).toBe(status.INVALID_ARGUMENT);
      expect(error?.details).toBe("request: is not a Protobuf message of the method's request type");
    });
  }

  test("any bytes to any method are refused or accepted, and the server survives", async () => {
    const server = await startServer({
      append: () => Promise.resolve({ firstOffset: 0, nextOffset: 1, epoch: 1, isRepeated: false }),
      publish: async function* () {},
      listQueues: () => [],
      read: async function* () {},
      follow: async function* () {},
      topics: { list: () => Promise.resolve({ topics: [], hasMore: false }) },
    });
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...methods), fc.uint8Array({ maxLength: 40 }), async (method, bytes) => {
        const error = await send(server, method, bytes);
        expect([undefined, status.INVALID_ARGUMENT]).toContain(error?.code);
      }),
      { numRuns: 300 },
    );
  });

  test("a number above 2^53-1 is refused by name", async () => {
    const server = await startServer({});
    // before_offset = 2, a varint of 2^64-1.
    const bytes = Buffer.from([0x10, ...Array.from({ length: 9 }, () => 0xff), 0x01]);
    expect(await send(server, TopicServiceService.trimTopic, bytes)).toMatchObject({
      code: status.INVALID_ARGUMENT,
      details: "request: has a number above 2^53-1, which is not supported",
    });
  });

  test("a message of 4 MiB + 1 gives RESOURCE_EXHAUSTED, and the server survives", async () => {
    const server = await startServer({});
    for (const method of [RecordServiceService.append, RecordServiceService.publish, RecordServiceService.read]) {
      const error = await send(server, method, Buffer.alloc(4 * 1024 * 1024 + 1));
      expect(error?.code).toBe(status.RESOURCE_EXHAUSTED);
    }
    expect(await send(server, TopicServiceService.getTopic, Buffer.alloc(0))).toMatchObject({
      code: status.INVALID_ARGUMENT,
    });
  });

  test("an unknown method is UNIMPLEMENTED", async () => {
    const server = await startServer({});
    const method = { path: "/millrace.v1.TopicService/Nothing", requestStream: false, responseStream: false };
    expect(await send(server, method, Buffer.alloc(0))).toMatchObject({ code: status.UNIMPLEMENTED });
  });
});

describe("drain()", () => {
  test("ends follows with their position, without force", async () => {
    const server = await startServer({ follow: following() });
    const results = Array.from({ length: 20 }, () => {
      const stream = follow(server);
      return { result: drainStream(stream), first: new Promise((resolve) => stream.once("data", resolve)) };
    });
    await Promise.all(results.map(({ first }) => first));
    expect(server.liveStreams.size).toBe(20);
    expect(await server.server.drain(10_000)).toEqual({ wasForced: false });
    for (const { result } of results) {
      const { messages, error } = await result;
      expect(messages).toHaveLength(1);
      expect(error?.code).toBe(status.UNAVAILABLE);
      expect(error && errorInfo(error)).toEqual({
        reason: "DRAINING",
        metadata: { topic: "orders", epoch: "3", offset: "7" },
      });
    }
    expect(server.liveStreams.size).toBe(0);
  });

  test("cuts off a stream whose client does not read, and reports it", async () => {
    let hasEnded = false;
    const server = await startServer({
      follow: async function* (...args) {
        try {
          yield* following(largePages())(...args);
        } finally {
          hasEnded = true;
        }
      },
    });
    const request = RecordServiceService.follow.requestSerialize({
      topic: "orders",
      start: undefined,
      whenBehind: 0,
      whenTrimmed: 0,
      filter: "",
    });
    rawCall(server.address, RecordServiceService.follow.path, request).stream.end();
    await vi.waitFor(() => expect(server.liveStreams.list(0, 1)[0]?.waiting).toBe("client-window"));
    expect(await server.server.drain(50)).toEqual({ wasForced: true });
    expect(hasEnded).toBe(true);
    expect(server.liveStreams.size).toBe(0);
  });

  test("drains once, also when called twice", async () => {
    const { server } = await startServer({});
    expect(server.drain(0)).toBe(server.drain(1000));
    expect(await server.drain(0)).toEqual({ wasForced: false });
  });
});

describe("listen()", () => {
  test("the error names the address", async () => {
    const { address } = await startServer({});
    const other = await startServer({});
    await expect(other.server.listen(address)).rejects.toThrow(`Cannot listen on ${address}: `);
  });
});

test("buf curl lists the services and makes a call with reflection", async () => {
  const { address } = await startServer({
    read: async function* () {
      const next = { epoch: 3, offset: 2 };
      yield { kind: "skipped", reason: "trimmed", firstOffset: 0, nextOffset: 2, next };
    },
  });
  const curl = async (...args: string[]) => {
    const options = ["curl", "--protocol", "grpc", "--http2-prior-knowledge", ...args];
    return (await promisify(execFile)("node_modules/.bin/buf", options)).stdout;
  };
  expect((await curl("--list-services", `http://${address}`)).trim().split("\n")).toContain(
    "millrace.v1.RecordService",
  );
  const answer = await curl("-d", '{"topic":"orders"}', `http://${address}/millrace.v1.RecordService/Read`);
  expect(JSON.parse(answer)).toEqual({
    next: { epoch: "3", offset: "2" },
    skipped: { nextOffset: "2", reason: "TRIMMED" },
  });
});
