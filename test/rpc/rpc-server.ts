/** Servers and clients for the tests of the gRPC edge: real ones, on loopback. */

import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import {
  Client,
  credentials,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServiceError,
} from "@grpc/grpc-js";
import { BufferPool, defaultLimits } from "../../src/core/index.js";
import type { Engine, Subscriptions, Topics } from "../../src/engine/index.js";
import { ErrorInfo } from "../../src/gen/google/rpc/error_details.js";
import { Status } from "../../src/gen/google/rpc/status.js";
import { type Calls, createCalls } from "../../src/rpc/calls.js";
import { createGrpcServer, type GrpcServer, type GrpcServerOptions } from "../../src/rpc/index.js";
import type { Method } from "../../src/rpc/method.js";
import { pullRequests } from "../../src/rpc/pulled-requests.js";
import { sendPrefixed } from "../../src/rpc/sent-messages.js";
import {
  type Clock,
  createLiveStreams,
  createMetrics,
  type LiveStreams,
  type Logger,
  type Metrics,
  systemClock,
} from "../../src/telemetry/index.js";

export interface LogLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly fields: Record<string, unknown>;
  readonly text: string;
}

/** A logger that keeps its entries. */
export function recordingLogger(): Logger & { readonly lines: LogLine[] } {
  const lines: LogLine[] = [];
  const level = (name: LogLine["level"]) => (fields: object, text: string) => {
    lines.push({ level: name, fields: { ...fields }, text });
  };
  return { lines, debug: level("debug"), info: level("info"), warn: level("warn"), error: level("error") };
}

export interface EnginePart extends Partial<Omit<Engine, "topics" | "subscriptions">> {
  readonly topics?: Partial<Topics>;
  readonly subscriptions?: Partial<Subscriptions>;
}

/** An engine with the methods that the test gives. */
export function scriptedEngine({ topics = {}, subscriptions = {}, ...rest }: EnginePart = {}): Engine {
  const missing = (name: string | symbol) => () => {
    throw new Error(`The test did not expect ${String(name)}()`);
  };
  const withFallback = <T extends object>(given: object): T =>
    new Proxy(given, { get: (target, name) => Reflect.get(target, name) ?? missing(name) }) as T;
  return withFallback<Engine>({
    close: () => Promise.resolve(),
    buffers: new BufferPool(0),
    ...rest,
    topics: withFallback<Topics>(topics),
    subscriptions: withFallback<Subscriptions>(subscriptions),
  });
}

export interface Observed {
  readonly liveStreams: LiveStreams;
  readonly metrics: Metrics;
  readonly logger: ReturnType<typeof recordingLogger>;
}

export interface TestServer extends Observed {
  readonly server: GrpcServer;
  readonly address: string;
  readonly client: Client;
}

const open: (() => unknown)[] = [];

/** Closes everything that a test opened. For `afterEach`. */
export async function closeAll(): Promise<void> {
  for (const close of open.splice(0).reverse()) await close();
}

function observe(): Observed {
  return { liveStreams: createLiveStreams(), metrics: createMetrics(), logger: recordingLogger() };
}

/** The whole server, on a free port. */
export async function startServer(engine: EnginePart, options: Partial<GrpcServerOptions> = {}): Promise<TestServer> {
  const observed = observe();
  const server = createGrpcServer({ engine: scriptedEngine(engine), limits: defaultLimits, options, ...observed });
  const address = await server.listen("127.0.0.1:0");
  open.push(() => server.drain(0));
  return { ...observed, server, address, client: openClient(address) };
}

export interface MethodServer extends Observed {
  readonly calls: Calls;
  readonly address: string;
  readonly client: Client;
}

/** A server with a few methods, to test the adapters alone. */
export async function startMethods(
  methods: (calls: Calls) => readonly Method[],
  clock: Clock = systemClock,
): Promise<MethodServer> {
  const observed = observe();
  const calls = createCalls({ ...observed, clock });
  const server = new Server({ interceptors: [sendPrefixed, pullRequests] });
  for (const method of methods(calls)) method.register(server);
  const address = await listenOn(server);
  open.push(async () => {
    server.forceShutdown();
    await calls.tasks.settled();
  });
  return { ...observed, calls, address, client: openClient(address) };
}

export function openClient(address: string): Client {
  const client = new Client(address, credentials.createInsecure(), { "grpc.enable_retries": 0 });
  open.push(() => client.close());
  return client;
}

/**
 * A raw HTTP/2 call that has sent one message. It reads only on request, so its window stays closed (grpc-js.md #19).
 */
export function rawCall(address: string, path: string, message: Uint8Array, headers = {}): RawCall {
  const session = connect(`http://${address}`);
  session.on("error", () => undefined);
  open.push(() => session.destroy());
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });
  stream.on("error", () => undefined);
  stream.write(frame(message));
  return { session, stream };
}

export interface RawCall {
  readonly session: ClientHttp2Session;
  readonly stream: ClientHttp2Stream;
}

function frame(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** Messages of plain text. */
export const textShape = {
  requestDeserialize: (bytes: Buffer) => bytes.toString(),
  responseSerialize: (text: string) => Buffer.from(text),
};

const bytesOf = (bytes: Uint8Array) => Buffer.from(bytes);

/** One unary call, with its error as a value. */
export function callUnary<Request, Response>(
  client: Client,
  method: Pick<MethodDefinition<Request, Response>, "path" | "requestSerialize" | "responseDeserialize">,
  request: Request,
  options: { readonly deadline?: number } = {},
): Promise<Response | ServiceError> {
  return new Promise((resolve) => {
    client.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
      options,
      (error, value) => resolve(error ?? (value as Response)),
    );
  });
}

/** A method whose request is any bytes. */
export function rawMethod(path: string) {
  return { path, requestSerialize: bytesOf, responseDeserialize: (bytes: Buffer) => bytes };
}

/** All messages of a stream. */
export function drainStream<T>(
  stream: NodeJS.ReadableStream,
): Promise<{ messages: T[]; error: ServiceError | undefined }> {
  const messages: T[] = [];
  return new Promise((resolve) => {
    stream.on("data", (message: T) => messages.push(message));
    stream.on("error", (error) => resolve({ messages, error: error as ServiceError }));
    stream.on("end", () => resolve({ messages, error: undefined }));
  });
}

/** The `google.rpc.Status` of an error. */
export function richStatus(error: ServiceError): Status {
  const [encoded] = error.metadata.get("grpc-status-details-bin");
  if (!(encoded instanceof Buffer)) throw new Error(`There are no details in ${error.message}`);
  return Status.decode(encoded);
}

export function errorInfo(error: ServiceError): { readonly reason: string; readonly metadata: Record<string, string> } {
  const any = richStatus(error).details.find(({ typeUrl }) => typeUrl === "type.googleapis.com/google.rpc.ErrorInfo");
  if (any === undefined) throw new Error("There is no ErrorInfo");
  const { reason, metadata } = ErrorInfo.decode(any.value);
  return { reason, metadata: Object.fromEntries(metadata) };
}

/** Binds a server to a free port on loopback. Returns the address. */
export function listenOn(server: Server): Promise<string> {
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(`127.0.0.1:${port}`) : reject(error),
    );
  });
}
