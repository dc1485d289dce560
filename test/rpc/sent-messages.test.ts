import { Client, credentials, Server, type ServerInterceptor, type ServerWritableStream } from "@grpc/grpc-js";
import { afterEach, expect, test } from "vitest";
import { sendPrefixed, serializePrefixed } from "../../src/rpc/sent-messages.js";
import { withPrefix } from "../../src/wire/index.js";
import { drainStream, listenOn } from "./rpc-server.js";

const stops: (() => void)[] = [];
afterEach(() => stops.splice(0).forEach((stop) => stop()));

const path = "/test.Texts/Stream";

/** A server whose only stream sends these messages with this serialiser, and the calls that its interceptors saw. */
async function start(serialize: (message: Buffer) => Buffer, messages: readonly Buffer[]) {
  const calls: object[] = [];
  const look: ServerInterceptor = (_, call) => {
    calls.push(call);
    return call as ReturnType<ServerInterceptor>;
  };
  const server = new Server({ interceptors: [sendPrefixed, look] });
  const handler = (call: ServerWritableStream<Buffer, Buffer>) => {
    for (const message of messages) call.write(message);
    call.end();
  };
  server.register(path, handler, serialize, (bytes: Buffer) => bytes, "serverStream");
  const client = new Client(await listenOn(server), credentials.createInsecure());
  stops.push(
    () => client.close(),
    () => server.forceShutdown(),
  );
  const stream = client.makeServerStreamRequest(path, (bytes: Buffer) => bytes, String, Buffer.alloc(0));
  return { calls, received: (await drainStream<string>(stream)).messages };
}

test("a message with its prefix is sent without a copy: grpc-js has the method that would copy it", async () => {
  const messages = ["a", "", "x".repeat(100_000)];
  const { calls, received } = await start(
    serializePrefixed,
    messages.map((text) => withPrefix(Buffer.from(text))),
  );
  expect(received).toEqual(messages);
  const [call] = calls as [{ serializeMessage?: (message: Buffer) => Buffer }];
  // If this fails, find the method's name in the new grpc-js: otherwise messages are copied again.
  expect(Object.getPrototypeOf(call)).toHaveProperty("serializeMessage", expect.any(Function));
  const message = withPrefix(Buffer.from("b"));
  expect(call.serializeMessage?.(message)).toBe(message);
  // grpc-js itself takes the message without its prefix and copies it.
  expect(serializePrefixed(message).toString()).toBe("b");
});

test("grpc-js serialises the messages of other methods", async () => {
  const { calls, received } = await start((bytes) => bytes, [Buffer.from("plain")]);
  expect(received).toEqual(["plain"]);
  expect(Object.keys(calls[0] ?? {})).not.toContain("serializeMessage");
});
