/**
 * The relay: a gRPC server between Millrace and its own clients. Each client has its own watch, and nothing is queued
 * between the two. A client that does not read closes HTTP/2's window here, then the one to Millrace, and there its
 * watch waits: for that client alone.
 */

import { Writable } from "node:stream";
import { Server, ServerCredentials, type ServerWritableStream, status } from "@grpc/grpc-js";
import { ClientError, type MillraceClient } from "millrace";
import { toWritable } from "millrace/streams";
import { relayService, type WatchRequest, type WatchResponse } from "./relay-proto.js";
import { RelayedWatch } from "./relayed-watch.js";

type WatchCall = ServerWritableStream<WatchRequest, WatchResponse>;

export interface Relay {
  /** HOST:PORT */
  readonly address: string;
  stop(): void;
}

export async function startRelay(millrace: MillraceClient, listen: string): Promise<Relay> {
  const server = new Server();
  server.addService(relayService, {
    watch: (call: WatchCall) => {
      relayWatch(millrace, call).catch((error: unknown) => failCall(call, error));
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(listen, ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return { address: `${listen.slice(0, listen.lastIndexOf(":"))}:${port}`, stop: () => server.forceShutdown() };
}

async function relayWatch(millrace: MillraceClient, call: WatchCall): Promise<void> {
  const gone = new AbortController();
  call.once("cancelled", () => gone.abort());
  const { topic, latitude, longitude } = call.request;
  const messages = new RelayedWatch(millrace, topic, { latitude, longitude });
  await toWritable(messages, oneAtATime(call), { signal: gone.signal });
}

/** The call itself takes 16 messages before it is full. This one is full with one, until HTTP/2 has taken it. */
function oneAtATime(call: WatchCall): Writable {
  return new Writable({
    objectMode: true,
    highWaterMark: 1,
    write: (message: WatchResponse, _encoding, taken) => void call.write(message, taken),
    final: (ended) => {
      call.end();
      ended();
    },
  });
}

/** Fails with Millrace's own status, if it has one: NOT_FOUND, FAILED_PRECONDITION, … */
function failCall(call: WatchCall, error: unknown): void {
  if (call.cancelled) return;
  const code = error instanceof ClientError ? status[error.code] : status.INTERNAL;
  call.emit("error", { code, details: error instanceof ClientError ? error.message : "The relay failed" });
}
