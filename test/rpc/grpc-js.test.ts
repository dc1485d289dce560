import { connect } from "node:http2";
import {
  type ServerOptions,
  Server,
  type handleServerStreamingCall,
  status,
  type UntypedHandleCall,
} from "@grpc/grpc-js";
import { afterEach, expect, test, vi } from "vitest";
import { closeAll, drainStream, listenOn, openClient, rawCall } from "./rpc-server.js";

/** What docs/grpc-js.md says of grpc-js, where no test of ours would notice that a new version behaves otherwise. */

const path = "/test.Bytes/Stream";
const bytesOf = (bytes: Buffer) => bytes;
const servers: Server[] = [];

afterEach(async () => {
  await closeAll();
  for (const server of servers.splice(0)) server.forceShutdown();
});

type Handler = handleServerStreamingCall<Buffer, Buffer>;

/** A server of grpc-js alone, with one streaming method. */
async function startBare(handler: Handler, options: ServerOptions = {}): Promise<string> {
  const server = new Server(options);
  servers.push(server);
  server.register(path, handler as UntypedHandleCall, bytesOf, bytesOf, "serverStream");
  return await listenOn(server);
}

/** Calls it with a client of grpc-js. */
const openStream = (address: string, options = {}) =>
  openClient(address).makeServerStreamRequest(path, bytesOf, bytesOf, Buffer.alloc(0), options);

test("a server's call buffers 16 messages, whatever their size", async () => {
  let highWaterMark = 0;
  const address = await startBare((call) => {
    highWaterMark = call.writableHighWaterMark;
    expect(call.writableObjectMode).toBe(true);
    call.end();
  });
  await drainStream(openStream(address));
  expect(highWaterMark).toBe(16);
});

test("a write calls back when HTTP/2 took it, and one after a cancellation never", async () => {
  const returned: string[] = [];
  const address = await startBare((call) => {
    call.write(Buffer.alloc(1000), () => returned.push("before"));
    call.on("cancelled", () => call.write(Buffer.alloc(1000), () => returned.push("after")));
    call.on("cancelled", () => returned.push("cancelled"));
  });
  const { stream } = rawCall(address, path, Buffer.alloc(0));
  stream.end();
  await vi.waitFor(() => expect(returned).toEqual(["before"]));
  stream.destroy();
  await vi.waitFor(() => expect(returned).toEqual(["before", "cancelled"]));
  // A callback that is still due comes before the end of another call.
  await drainStream(openStream(await startBare((call) => call.end())));
  expect(returned).toEqual(["before", "cancelled"]);
});

test("a write stays under way while the client's window is closed", async () => {
  const returned: string[] = [];
  const address = await startBare((call) => {
    call.on("error", () => undefined);
    call.write(Buffer.alloc(1_000_000), () => returned.push("sent"));
  });
  const { stream } = rawCall(address, path, Buffer.alloc(0));
  stream.end();
  await drainStream(openStream(await startBare((call) => call.end())));
  expect(returned).toEqual([]);
  stream.resume();
  await vi.waitFor(() => expect(returned).toEqual(["sent"]));
});

test("a deadline in more than 2^31 ms is over at once", async () => {
  const address = await startBare(() => undefined);
  const { stream } = rawCall(address, path, Buffer.alloc(0), { "grpc-timeout": "720H" });
  stream.end();
  stream.resume();
  // A call that ends before its first message has its trailers in the headers.
  const headers = await new Promise<Record<string, unknown>>((resolve) => stream.on("response", resolve));
  expect(headers["grpc-status"]).toBe(String(status.DEADLINE_EXCEEDED));
});

test("a write to a call that was destroyed calls back with an error, again and again", async () => {
  const codes: unknown[] = [];
  const address = await startBare((call) => {
    call.on("error", () => undefined);
    call.destroy();
    for (let count = 0; count < 3; count++)
      call.write(Buffer.alloc(1), (error: NodeJS.ErrnoException | null | undefined) => codes.push(error?.code));
  });
  const stream = openStream(address);
  stream.on("error", () => undefined);
  await vi.waitFor(() => expect(codes).toEqual(Array(3).fill("ERR_STREAM_DESTROYED")));
  stream.cancel();
});

test('"cancelled" is emitted at the end of a call that went well, too', async () => {
  let cancels = 0;
  const address = await startBare((call) => {
    call.on("cancelled", () => (cancels += 1));
    call.write(Buffer.from("done"));
    call.end();
  });
  expect(await drainStream(openStream(address))).toMatchObject({ messages: [Buffer.from("done")], error: undefined });
  await vi.waitFor(() => expect(cancels).toBe(1));
});

test("a handler's promise is left alone", async () => {
  // oxlint-disable-next-line unicorn/no-thenable -- whoever awaits it calls `then`
  const promise = { then: vi.fn<() => void>() };
  const address = await startBare((call) => {
    call.end();
    return promise as unknown as void;
  });
  await drainStream(openStream(address));
  expect(promise.then).not.toHaveBeenCalled();
});

test("a server without options allows any number of calls on a connection, and 64 KiB of uploads ahead", async () => {
  const settingsOf = async (options: ServerOptions) => {
    const session = connect(`http://${await startBare((call) => call.end(), options)}`);
    const settings = await new Promise((resolve) => session.once("remoteSettings", resolve));
    session.destroy();
    return settings;
  };
  const unlimited = 2 ** 32 - 1;
  expect(await settingsOf({})).toMatchObject({ maxConcurrentStreams: unlimited, initialWindowSize: 65_535 });
  // The option of the window is for clients.
  expect(
    await settingsOf({ "grpc.max_concurrent_streams": 7, "grpc-node.flow_control_window": 1024 * 1024 }),
  ).toMatchObject({ maxConcurrentStreams: 7, initialWindowSize: 65_535 });
});

test("a server with keepalive pings a connection without calls", async () => {
  const address = await startBare((call) => call.end(), { "grpc.keepalive_time_ms": 20 });
  const session = connect(`http://${address}`);
  await new Promise((resolve) => session.once("ping", resolve));
  session.destroy();
});

test("a client that was never read from takes messages without a bound", async () => {
  let taken = 0;
  const message = Buffer.alloc(32 * 1024);
  const address = await startBare((call) => {
    call.on("error", () => undefined);
    const send = () => {
      taken += 1;
      if (taken < 200) call.write(message, send);
    };
    send();
  });
  const stream = openStream(address);
  stream.on("error", () => undefined);
  // 6 MiB, where its window is 64 KiB.
  await vi.waitFor(() => expect(taken).toBe(200));
  stream.cancel();
});
