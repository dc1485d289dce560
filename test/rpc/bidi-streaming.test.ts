import { type ClientDuplexStream, status } from "@grpc/grpc-js";
import { afterEach, describe, expect, test, vi } from "vitest";
import { MillraceError } from "../../src/core/index.js";
import { bidiStreaming } from "../../src/rpc/bidi-streaming.js";
import type { MethodContext } from "../../src/rpc/method.js";
import { closeAll, drainStream, errorInfo, type MethodServer, rawCall, startMethods } from "./rpc-server.js";

afterEach(closeAll);

const path = "/test.Texts/Talk";

type Handle = (
  requests: AsyncIterableIterator<string, undefined>,
  context: MethodContext,
) => AsyncGenerator<string, void, undefined>;

interface TalkServer extends MethodServer {
  /** How many requests were decoded. */
  decoded(): number;
}

async function start(handle: Handle): Promise<TalkServer> {
  let decoded = 0;
  const shape = {
    path,
    requestDeserialize: (bytes: Buffer) => {
      decoded += 1;
      return bytes.toString();
    },
    responseSerialize: (text: string) => Buffer.from(text),
    positionAfter: (text: string) => ({ epoch: 5, offset: Number(text) }),
  };
  const server = await startMethods((calls) => [bidiStreaming(calls, shape, handle)]);
  return { ...server, decoded: () => decoded };
}

function talk({ client }: MethodServer): ClientDuplexStream<string, string> {
  return client.makeBidiStreamRequest(path, (text: string) => Buffer.from(text), String);
}

const echo: Handle = async function* (requests) {
  for await (const request of requests) yield request;
};

const ended = ({ logger }: MethodServer) =>
  logger.lines.filter(({ text }) => text === "call").map(({ fields }) => fields.status);

describe("bidiStreaming()", () => {
  test("answers while the client still sends, and ends after its half-close", async () => {
    const server = await start(echo);
    const stream = talk(server);
    const result = drainStream(stream);
    stream.write("1");
    await new Promise((resolve) => stream.once("data", resolve));
    stream.write("2");
    stream.end("3");
    expect(await result).toEqual({ messages: ["1", "2", "3"], error: undefined });
    expect(ended(server)).toEqual(["OK"]);
  });

  test("the method sees the end at once after an early half-close", async () => {
    const server = await start(async function* (requests) {
      expect(await requests.next()).toEqual({ done: true, value: undefined });
      expect(await requests.next()).toEqual({ done: true, value: undefined });
      yield "1";
    });
    const stream = talk(server);
    stream.end();
    expect(await drainStream(stream)).toEqual({ messages: ["1"], error: undefined });
  });

  test("the method's return ends the call without a half-close", async () => {
    const server = await start(async function* (requests) {
      yield (await requests.next()).value ?? "none";
    });
    const stream = talk(server);
    stream.write("1");
    stream.write("2");
    expect(await drainStream(stream)).toEqual({ messages: ["1"], error: undefined });
  });

  test("leaving the loop over requests does not end the responses", async () => {
    const server = await start(async function* (requests) {
      for await (const request of requests) {
        yield request;
        break;
      }
      expect(await requests.next()).toEqual({ done: true, value: undefined });
      yield "still here";
    });
    const stream = talk(server);
    stream.write("1");
    stream.write("2");
    expect(await drainStream(stream)).toEqual({ messages: ["1", "still here"], error: undefined });
  });

  test("return() ends a next() that waits", async () => {
    const server = await start(async function* (requests) {
      const parked = requests.next();
      await requests.return?.();
      expect(await parked).toEqual({ done: true, value: undefined });
      yield "1";
    });
    const stream = talk(server);
    expect(await drainStream(stream)).toEqual({ messages: ["1"], error: undefined });
  });

  test("reads only requested messages", async () => {
    let taken = 0;
    const server = await start(async function* (requests, { signal }) {
      await requests.next();
      taken += 1;
      yield "1";
      await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    });
    const stream = talk(server);
    stream.on("error", () => undefined);
    for (let index = 0; index < 100; index++) stream.write("x".repeat(64 * 1024));
    await new Promise((resolve) => stream.once("data", resolve));
    // If it read ahead, it would have done so before another call ends.
    const other = talk(server);
    const result = drainStream(other);
    other.write("probe");
    await new Promise((resolve) => other.once("data", resolve));
    expect(taken).toBe(2);
    // One each was requested; the frame of the first may hold the beginning of the next.
    expect(server.decoded()).toBeLessThanOrEqual(3);
    stream.cancel();
    other.cancel();
    await result;
  });

  test("a slow method gets every request once and in order", async () => {
    const got: string[] = [];
    const server = await start(async function* (requests) {
      for await (const request of requests) {
        await new Promise((resolve) => setImmediate(resolve));
        got.push(request);
      }
      yield "1";
    });
    const stream = talk(server);
    const sent = Array.from({ length: 100 }, (_, index) => `${index}:`.padEnd(index % 7 === 0 ? 40_000 : 10, "."));
    for (const text of sent) stream.write(text);
    stream.end();
    expect(await drainStream(stream)).toMatchObject({ messages: ["1"] });
    expect(got).toEqual(sent);
  });

  test("a client that is gone rejects the awaited request, and the generator's finally runs", async () => {
    let reason: unknown;
    const server = await start(async function* (requests) {
      try {
        for await (const request of requests) yield request;
      } catch (error) {
        reason = error;
        throw error;
      }
    });
    const { session, stream } = rawCall(server.address, path, Buffer.from("1"));
    await new Promise((resolve) => stream.once("data", resolve));
    await vi.waitFor(() => expect(server.liveStreams.list(0, 1)[0]?.waiting).toBe("client-message"));
    session.destroy();
    await vi.waitFor(() => expect(reason).toMatchObject({ code: "call-ended" }));
    await vi.waitFor(() => expect(ended(server)).toEqual(["CANCELLED"]));
  });

  test("cancel aborts the signal, also after the requests have ended", async () => {
    let reason: unknown;
    const server = await start(async function* (requests, { signal }) {
      await requests.next();
      yield "1";
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      reason = signal.reason;
    });
    const stream = talk(server);
    stream.on("error", () => undefined);
    stream.end("1");
    await new Promise((resolve) => stream.once("data", resolve));
    stream.cancel();
    await vi.waitFor(() => expect(reason).toMatchObject({ code: "call-ended" }));
    await vi.waitFor(() => expect(ended(server)).toEqual(["CANCELLED"]));
  });

  test("a refused request rejects, after the responses before it", async () => {
    const server = await startMethods((calls) => [
      bidiStreaming(
        calls,
        {
          path,
          requestDeserialize: (bytes) => {
            if (bytes.length > 1) throw new Error("secret");
            return bytes.toString();
          },
          responseSerialize: (text: string) => Buffer.from(text),
        },
        echo,
      ),
    ]);
    const stream = talk(server);
    const result = drainStream(stream);
    stream.write("1");
    stream.write("too long");
    expect(await result).toMatchObject({ messages: ["1"], error: { code: status.INVALID_ARGUMENT } });
  });
});

describe("drain()", () => {
  test("ends the requests, lets the method send its last responses, and sends the position", async () => {
    const server = await start(async function* (requests) {
      for await (const request of requests) yield request;
      yield "9";
    });
    const stream = talk(server);
    const result = drainStream(stream);
    stream.write("8");
    await new Promise((resolve) => stream.once("data", resolve));
    server.calls.drain();
    const { messages, error } = await result;
    expect(messages).toEqual(["8", "9"]);
    expect(error?.code).toBe(status.UNAVAILABLE);
    expect(error && errorInfo(error)).toEqual({ reason: "DRAINING", metadata: { epoch: "5", offset: "9" } });
  });

  test("lets a method finish that has all its requests", async () => {
    let finish: (() => void) | undefined;
    const server = await start(async function* (requests) {
      for await (const request of requests) yield request;
      await new Promise<void>((resolve) => (finish = resolve));
      yield "2";
    });
    const stream = talk(server);
    const result = drainStream(stream);
    stream.end("1");
    await vi.waitFor(() => expect(finish).toBeDefined());
    server.calls.drain();
    finish?.();
    expect(await result).toEqual({ messages: ["1", "2"], error: undefined });
  });

  test("does not replace a refusal of the method", async () => {
    const server = await start(async function* (requests) {
      for await (const request of requests) yield request;
      throw new MillraceError("offset-mismatch", "Cannot append");
    });
    const stream = talk(server);
    const result = drainStream(stream);
    stream.write("1");
    await new Promise((resolve) => stream.once("data", resolve));
    server.calls.drain();
    expect(await result).toMatchObject({ error: { code: status.ABORTED } });
  });
});
