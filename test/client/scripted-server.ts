/**
 * A server that follows a test's script, over real sockets and with the generated service definitions. It does at a
 * chosen moment what a real server does rarely.
 */

import { createServer, type Socket } from "node:net";
import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type StatusObject,
  type sendUnaryData,
  status,
} from "@grpc/grpc-js";
import { ErrorInfo, RetryInfo } from "../../src/gen/google/rpc/error_details.js";
import { Status } from "../../src/gen/google/rpc/status.js";
import {
  type AppendRequest,
  type AppendResponse,
  type FollowRequest,
  type FollowResponse,
  type PublishRequest,
  type PublishResponse,
  type ReadRequest,
  type ReadResponse,
  RecordServiceService,
} from "../../src/gen/millrace/v1/record_service.js";
import {
  type CommitRequest,
  type CommitResponse,
  type ConsumeRequest,
  type ConsumeResponse,
  SubscriptionServiceService,
} from "../../src/gen/millrace/v1/subscription_service.js";

export type PublishCall = ServerDuplexStream<PublishRequest, PublishResponse>;
export type FollowCall = ServerWritableStream<FollowRequest, FollowResponse>;
export type ReadCall = ServerWritableStream<ReadRequest, ReadResponse>;
export type ConsumeCall = ServerDuplexStream<ConsumeRequest, ConsumeResponse>;

export interface Script {
  append?(request: AppendRequest, call: number): AppendResponse | Partial<StatusObject>;
  publish?(stream: PublishCall, call: number): void;
  follow?(stream: FollowCall, call: number): void;
  read?(stream: ReadCall, call: number): void;
  consume?(stream: ConsumeCall, call: number): void;
  commit?(request: CommitRequest): CommitResponse | Partial<StatusObject>;
}

export interface ScriptedServer {
  readonly address: string;
  /** Breaks all connections. */
  breakConnections(): void;
  close(): void;
}

/** Starts a server behind a relay that can break connections as a network does. */
export async function startScriptedServer(script: Script): Promise<ScriptedServer> {
  const counts = { append: 0, publish: 0, follow: 0, read: 0, consume: 0 };
  const server = new Server();
  server.addService(RecordServiceService, {
    append(call: ServerUnaryCall<AppendRequest, AppendResponse>, answer: sendUnaryData<AppendResponse>) {
      const given = script.append?.(call.request, counts.append++) ?? { code: status.UNIMPLEMENTED };
      if ("code" in given) answer(given as StatusObject);
      else answer(null, given as AppendResponse);
    },
    publish(stream: PublishCall) {
      stream.on("error", () => {});
      script.publish?.(stream, counts.publish++);
    },
    read(stream: ReadCall) {
      script.read?.(stream, counts.read++);
    },
    follow(stream: FollowCall) {
      script.follow?.(stream, counts.follow++);
    },
  });
  const unused = () => {
    throw new Error("not scripted");
  };
  server.addService(SubscriptionServiceService, {
    consume(stream: ConsumeCall) {
      stream.on("error", () => {});
      script.consume?.(stream, counts.consume++);
    },
    commit(call: ServerUnaryCall<CommitRequest, CommitResponse>, answer: sendUnaryData<CommitResponse>) {
      const given = script.commit?.(call.request) ?? { code: status.UNIMPLEMENTED };
      if ("code" in given) answer(given as StatusObject);
      else answer(null, given as CommitResponse);
    },
    createSubscription: unused,
    getSubscription: unused,
    listSubscriptions: unused,
    updateSubscription: unused,
    deleteSubscription: unused,
    pauseSubscription: unused,
    resumeSubscription: unused,
    seekSubscription: unused,
    describeSubscription: unused,
    listParkedRecords: unused,
    getParkedRecord: unused,
    redriveParkedRecords: unused,
    discardParkedRecords: unused,
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
  const sockets = new Set<Socket>();
  const { connect } = await import("node:net");
  const relay = createServer((client) => {
    const upstream = connect(port, "127.0.0.1");
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.pipe(upstream);
    upstream.pipe(client);
  });
  await new Promise<void>((resolve) => relay.listen(0, "127.0.0.1", resolve));
  const { port: relayPort } = relay.address() as { port: number };
  return {
    address: `127.0.0.1:${relayPort}`,
    breakConnections() {
      for (const socket of sockets) socket.destroy();
    },
    close() {
      relay.close();
      for (const socket of sockets) socket.destroy();
      server.forceShutdown();
    },
  };
}

/** Ends a stream with a status and, where given, `google.rpc` details. */
export function endWith(
  stream: { emit(event: string, value: unknown): boolean },
  code: status,
  details: { readonly reason?: string; readonly retryMs?: number; readonly metadata?: Record<string, string> } = {},
): void {
  stream.emit("error", statusWith(code, details));
}

export function statusWith(
  code: status,
  {
    reason,
    retryMs,
    metadata = {},
  }: { readonly reason?: string; readonly retryMs?: number; readonly metadata?: Record<string, string> } = {},
): StatusObject {
  const packed: { typeUrl: string; value: Uint8Array }[] = [];
  if (reason !== undefined) {
    const info = ErrorInfo.encode({ reason, domain: "millrace.dev", metadata: new Map(Object.entries(metadata)) });
    packed.push({ typeUrl: "type.googleapis.com/google.rpc.ErrorInfo", value: info.finish() });
  }
  if (retryMs !== undefined) {
    const info = RetryInfo.encode({ retryDelay: { seconds: 0, nanos: retryMs * 1_000_000 } });
    packed.push({ typeUrl: "type.googleapis.com/google.rpc.RetryInfo", value: info.finish() });
  }
  const trailers = new Metadata();
  if (packed.length > 0) {
    const encoded = Status.encode({ code, message: "scripted", details: packed }).finish();
    trailers.set("grpc-status-details-bin", Buffer.from(encoded));
  }
  return { code, details: "scripted", metadata: trailers };
}
