import { type ClientWritableStream, type ServiceError, status } from "@grpc/grpc-js";
import { afterEach, describe, expect, test, vi } from "vitest";
import { MillraceError } from "../../src/core/index.js";
import { clientStreaming } from "../../src/rpc/client-streaming.js";
import type { MethodContext } from "../../src/rpc/method.js";
import { closeAll, type MethodServer, rawCall, startMethods } from "./rpc-server.js";

afterEach(closeAll);

const path = "/test.Texts/Join";

type Handle = (requests: AsyncIterableIterator<string, undefined>, context: MethodContext) => Promise<string>;

interface JoinServer extends MethodServer {
  /** How many requests were decoded. */
  decoded(): number;
}

async function start(handle: Handle): Promise<JoinServer> {
  let decoded = 0;
  const shape = {
    path,
    requestDeserialize: (bytes: Buffer) => {
      decoded += 1;
      if (bytes.toString() === "broken") throw new Error("secret");
      return bytes.toString();
    },
    responseSerialize: (text: string) => Buffer.from(text),
  };
  const server = await startMethods((calls) => [clientStreaming(calls, shape, handle)]);
  return { ...server, decoded: () => decoded };
}

interface Call {
  readonly requests: ClientWritableStream<string>;
  readonly answer: Promise<string | ServiceError>;
}

function call({ client }: MethodServer): Call {
  let settle: (answer: string | ServiceError) => void = () => undefined;
  const answer = new Promise<string | ServiceError>((resolve) => (settle = resolve));
  const requests = client.makeClientStreamRequest<string, string>(
    path,
    (text) => Buffer.from(text),
    String,
    (error, text) => settle(error ?? text ?? ""),
  );
  return { requests, answer };
}

const join: Handle = async (requests) => {
  let joined = "";
  for await (const request of requests) joined += request;
  return joined;
};

const ended = ({ logger }: MethodServer) =>
  logger.lines.filter(({ text }) => text === "call").map(({ fields }) => fields);

describe("clientStreaming()", () => {
  test("answers when the client has half-closed, and counts the call once", async () => {
    const server = await start(join);
    const { requests, answer } = call(server);
    for (const text of ["a", "b", "c"]) requests.write(text);
    requests.end();
    expect(await answer).toBe("abc");
    expect(ended(server)).toMatchObject([{ method: path, status: "OK", messagesSent: 1, bytesReceived: 3 }]);
  });

  test("answers also without requests", async () => {
    const { requests, answer } = call(await start(join));
    requests.end();
    expect(await answer).toBe("");
  });

  test("a method may answer before the end, and reads only requested messages", async () => {
    const server = await start(async (requests) => (await requests.next()).value ?? "none");
    const { requests, answer } = call(server);
    for (let index = 0; index < 100; index++) requests.write("x".repeat(64 * 1024));
    expect(await answer).toHaveLength(64 * 1024);
    // One was requested; its frame may hold the beginning of the next.
    expect(server.decoded()).toBeLessThanOrEqual(2);
  });

  test("an error of the method or of the decoder becomes the status", async () => {
    const server = await start(async (requests) => {
      for await (const text of requests) if (text === "bad") throw new MillraceError("offset-mismatch", "Cannot join");
      return "all";
    });
    const refused = call(server);
    refused.requests.write("bad");
    expect(await refused.answer).toMatchObject({ code: status.ABORTED, details: "Cannot join" });
    const broken = call(server);
    broken.requests.write("broken");
    expect(await broken.answer).toMatchObject({ code: status.INVALID_ARGUMENT });
  });

  test("a lost client rejects the awaited request; until then the call waits for `client-message`", async () => {
    let reason: unknown;
    const server = await start(async (requests) => {
      try {
        return await join(requests, {} as MethodContext);
      } catch (error) {
        reason = error;
        throw error;
      }
    });
    const { session } = rawCall(server.address, path, Buffer.from("1"));
    await vi.waitFor(() => expect(server.liveStreams.list(0, 1)[0]?.waiting).toBe("client-message"));
    session.destroy();
    await vi.waitFor(() => expect(reason).toMatchObject({ code: "call-ended" }));
    await vi.waitFor(() => expect(ended(server)).toMatchObject([{ status: "CANCELLED" }]));
    expect(server.liveStreams.size).toBe(0);
  });

  test("a drain ends the requests, and no answer to a part of them is sent", async () => {
    let seen: string | undefined;
    const server = await start(async (requests, context) => (seen = await join(requests, context)));
    const { requests, answer } = call(server);
    requests.write("a");
    await vi.waitFor(() => expect(server.decoded()).toBe(1));
    await vi.waitFor(() => expect(server.liveStreams.list(0, 1)[0]?.waiting).toBe("client-message"));
    server.calls.drain();
    expect(await answer).toMatchObject({ code: status.UNAVAILABLE });
    expect(seen).toBe("a");
  });

  test("a drain lets a method finish that has all its requests", async () => {
    let finish: (() => void) | undefined;
    const server = await start(async (requests, context) => {
      const joined = await join(requests, context);
      await new Promise<void>((resolve) => (finish = resolve));
      return joined;
    });
    const { requests, answer } = call(server);
    requests.end("a");
    await vi.waitFor(() => expect(finish).toBeDefined());
    server.calls.drain();
    finish?.();
    expect(await answer).toBe("a");
  });
});
