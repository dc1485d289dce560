import { type ClientReadableStream, type ServiceError, status } from "@grpc/grpc-js";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { MethodContext } from "../../src/rpc/method.js";
import { serverStreaming } from "../../src/rpc/server-streaming.js";
import { closeAll, drainStream, errorInfo, type MethodServer, rawCall, startMethods, textShape } from "./rpc-server.js";

afterEach(closeAll);

const path = "/test.Texts/Stream";

type Handle = (request: string, context: MethodContext) => AsyncGenerator<string, void, undefined>;

/** Messages are texts. Their length is both the number of records and the position after them. */
function start(handle: Handle): Promise<MethodServer> {
  const shape = {
    path,
    ...textShape,
    recordsIn: (text: string) => text.length,
    positionAfter: (text: string) => ({ epoch: 5, offset: text.length }),
  };
  return startMethods((calls) => [serverStreaming(calls, shape, handle)]);
}

function open({ client }: MethodServer, request = "go"): ClientReadableStream<string> {
  return client.makeServerStreamRequest(path, (text: string) => Buffer.from(text), String, request);
}

/** A call whose client reads nothing. */
function stalledCall({ address }: MethodServer, headers = {}) {
  const call = rawCall(address, path, Buffer.from("go"), headers);
  call.stream.end();
  return call;
}

/** A generator that waits for ever after its messages, and records what happens to it. */
function parking(messages: Iterable<string>) {
  const account = { yielded: 0, hasEnded: false, reason: undefined as unknown };
  const handle: Handle = async function* (_, { signal }) {
    try {
      for (const message of messages) {
        account.yielded += 1;
        yield message;
      }
      await new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    } catch (error) {
      account.reason = error;
      throw error;
    } finally {
      account.hasEnded = true;
    }
  };
  return { account, handle };
}

function* endless(bytes: number) {
  for (;;) yield "x".repeat(bytes);
}

const ended = ({ logger }: MethodServer) =>
  logger.lines.filter(({ text }) => text === "call").map(({ fields }) => fields.status);

describe("serverStreaming()", () => {
  test("sends what its generator yields, in order, and counts it", async () => {
    const server = await start(async function* (request) {
      yield request;
      yield "three";
    });
    expect(await drainStream(open(server))).toEqual({ messages: ["go", "three"], error: undefined });
    expect(ended(server)).toEqual(["OK"]);
    expect(await server.metrics.bytesOut.get()).toMatchObject({ values: [{ value: 7 }] });
    expect(await server.metrics.recordsOut.get()).toMatchObject({ values: [{ value: 7 }] });
    expect(server.liveStreams.size).toBe(0);
  });

  test("sends its headers before the first message", async () => {
    const { handle } = parking([]);
    const server = await start(handle);
    const stream = open(server);
    stream.on("error", () => undefined);
    await new Promise((resolve) => stream.on("metadata", resolve));
    stream.cancel();
  });

  test("17 messages through a slow reader arrive once and in order", async () => {
    const sent = Array.from({ length: 17 }, (_, index) => `${index}:`.padEnd(50_000, "."));
    const server = await start(async function* () {
      yield* sent;
    });
    const stream = open(server);
    const got: string[] = [];
    for await (const message of stream) {
      got.push(String(message));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(got).toEqual(sent);
  });

  test("gives an error before the first message", async () => {
    const server = await start(async function* () {
      throw new Error("secret");
    });
    const { messages, error } = await drainStream(open(server));
    expect(messages).toEqual([]);
    expect(error?.code).toBe(status.INTERNAL);
  });

  test("gives an error after the messages before it", async () => {
    const server = await start(async function* () {
      yield "one";
      throw new Error("secret");
    });
    expect(await drainStream(open(server))).toMatchObject({ messages: ["one"], error: { code: status.INTERNAL } });
  });

  test("a cancel during a wait runs the generator's finally", async () => {
    const { account, handle } = parking(["one"]);
    const server = await start(handle);
    const stream = open(server);
    stream.on("error", () => undefined);
    await new Promise((resolve) => stream.once("data", resolve));
    stream.cancel();
    await vi.waitFor(() => expect(account.hasEnded).toBe(true));
    expect(account.reason).toMatchObject({ code: "call-ended" });
    await vi.waitFor(() => expect(ended(server)).toEqual(["CANCELLED"]));
    await server.calls.tasks.settled();
  });

  test("a closed window stops the generator after two messages; the call waits for `client-window`", async () => {
    const { account, handle } = parking(endless(64 * 1024));
    const probe = parking(["one"]);
    const server = await start((request, context) => (request === "probe" ? probe.handle : handle)(request, context));
    const { stream } = stalledCall(server);
    await vi.waitFor(() => expect(server.liveStreams.list(0, 1)[0]?.waiting).toBe("client-window"));
    // Anything that could be sent would be sent before another call ends.
    await roundTrip(server);
    expect(account.yielded).toBeLessThanOrEqual(2);
    expect(server.liveStreams.list(0, 1)[0]?.waiting).toBe("client-window");
    stream.destroy();
    await vi.waitFor(() => expect(account.hasEnded).toBe(true));
  });

  test("a client that is lost during a write ends the generator", async () => {
    const { account, handle } = parking(endless(64 * 1024));
    const server = await start(handle);
    const { session } = stalledCall(server);
    await vi.waitFor(() => expect(server.liveStreams.list(0, 1)[0]?.waiting).toBe("client-window"));
    session.destroy();
    await vi.waitFor(() => expect(account.hasEnded).toBe(true));
    await server.calls.tasks.settled();
    expect(ended(server)).toEqual(["CANCELLED"]);
    expect(server.liveStreams.size).toBe(0);
  });

  test("the deadline of a stalled call ends the generator", async () => {
    const { account, handle } = parking(endless(64 * 1024));
    const server = await start(handle);
    stalledCall(server, { "grpc-timeout": "200m" });
    await vi.waitFor(() => expect(account.yielded).toBeGreaterThan(0));
    await vi.waitFor(() => expect(account.hasEnded).toBe(true));
    await server.calls.tasks.settled();
    expect(ended(server)).toEqual(["DEADLINE_EXCEEDED"]);
  });

  test("a generator that ignores its signal delays neither the call's end nor its status", async () => {
    let release: (() => void) | undefined;
    const server = await start(async function* () {
      yield "one";
      await new Promise<void>((resolve) => (release = resolve));
    });
    const stream = open(server);
    stream.on("error", () => undefined);
    await new Promise((resolve) => stream.once("data", resolve));
    await vi.waitFor(() => expect(release).toBeDefined());
    stream.cancel();
    await vi.waitFor(() => expect(ended(server)).toEqual(["CANCELLED"]));
    expect(server.liveStreams.size).toBe(0);
    release?.();
  });
});

describe("a stalled stream releases its message", () => {
  /** A method whose only message is 256 KiB; the test keeps only a weak reference. */
  async function stall(headers = {}) {
    let message: WeakRef<Buffer> | undefined;
    const server = await startMethods((calls) => [
      serverStreaming(calls, { path, ...textShape, responseSerialize: (bytes: Buffer) => bytes }, async function* () {
        const bytes = Buffer.alloc(256 * 1024);
        message = new WeakRef(bytes);
        yield bytes;
      }),
    ]);
    const call = stalledCall(server, headers);
    await vi.waitFor(() => expect(server.liveStreams.list(0, 1)[0]?.waiting).toBe("client-window"));
    return { server, call, message: () => message?.deref() };
  }

  async function released(message: () => Buffer | undefined): Promise<void> {
    await vi.waitFor(() => {
      global.gc?.();
      // An expectation on the message itself would keep it alive when it fails.
      expect(message() === undefined).toBe(true);
    });
  }

  test("when its deadline passes", async () => {
    const { server, message } = await stall({ "grpc-timeout": "300m" });
    await vi.waitFor(() => expect(ended(server)).toEqual(["DEADLINE_EXCEEDED"]));
    await released(message);
  });

  test("when the node drains, even during a write", async () => {
    const { server, message } = await stall();
    server.calls.drain();
    await released(message);
    expect(server.liveStreams.list(0, 1)[0]?.waiting).toBe("client-window");
  });

  test("when the client cancels", async () => {
    const { call, message } = await stall();
    call.stream.destroy();
    await released(message);
  });
});

describe("drain()", () => {
  test("ends a stream with the position after the last sent message", async () => {
    const { account, handle } = parking(["four", "seven.."]);
    const server = await start((request, context) => {
      context.stream.topic = "orders";
      return handle(request, context);
    });
    const stream = open(server);
    const got: string[] = [];
    const error = new Promise<ServiceError>((resolve) => stream.on("error", (got) => resolve(got as ServiceError)));
    stream.on("data", (text: string) => {
      got.push(text);
      if (got.length === 2) server.calls.drain();
    });
    expect(await error).toMatchObject({ code: status.UNAVAILABLE });
    expect(errorInfo(await error)).toEqual({
      reason: "DRAINING",
      metadata: { topic: "orders", epoch: "5", offset: "7" },
    });
    expect(got).toEqual(["four", "seven.."]);
    await vi.waitFor(() => expect(account.hasEnded).toBe(true));
  });

  test("ends a stream that has sent nothing with its opening position", async () => {
    const { handle } = parking([]);
    const server = await start((request, context) => {
      context.position = { epoch: 1, offset: 42 };
      return handle(request, context);
    });
    const result = drainStream(open(server));
    await vi.waitFor(() => expect(server.liveStreams.size).toBe(1));
    server.calls.drain();
    const { error } = await result;
    expect(error && errorInfo(error).metadata).toEqual({ epoch: "1", offset: "42" });
  });

  test("counts a message that is being sent when it begins", async () => {
    const { account, handle } = parking(["x".repeat(200_000), "later"]);
    const server = await start(handle);
    const { stream } = stalledCall(server);
    await vi.waitFor(() => expect(server.liveStreams.list(0, 1)[0]?.waiting).toBe("client-window"));
    server.calls.drain();
    await vi.waitFor(() => expect(account.hasEnded).toBe(true));
    const trailers = new Promise<Record<string, string>>((resolve) => stream.on("trailers", resolve));
    let received = 0;
    stream.on("data", (bytes: Buffer) => {
      received += bytes.length;
    });
    expect((await trailers)["grpc-status"]).toBe(String(status.UNAVAILABLE));
    expect(received).toBe(5 + 200_000);
    const details = Buffer.from((await trailers)["grpc-status-details-bin"] ?? "", "base64").toString();
    expect(details).toContain("200000");
    expect(account.yielded).toBe(1);
  });

  test("refuses new streams, with the wait before a retry", async () => {
    const { account, handle } = parking(["one"]);
    const server = await start(handle);
    server.calls.drain();
    expect(await drainStream(open(server))).toMatchObject({ messages: [], error: { code: status.UNAVAILABLE } });
    expect(account.yielded).toBe(0);
  });
});

/** One more call, to its end. */
async function roundTrip(server: MethodServer): Promise<void> {
  const stream = open(server, "probe");
  stream.on("error", () => undefined);
  await new Promise((resolve) => stream.once("data", resolve));
  stream.cancel();
}
