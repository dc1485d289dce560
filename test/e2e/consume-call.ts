/** A Consume call on bare HTTP/2 with its own connection: it shows the wire as it is, and it can die. */

import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import { connect as connectSocket } from "node:net";
import { status } from "@grpc/grpc-js";
import { ErrorInfo } from "../../src/gen/google/rpc/error_details.js";
import { Status } from "../../src/gen/google/rpc/status.js";
import {
  ConsumeRequest,
  ConsumeResponse,
  type DeepPartial,
  SubscriptionServiceService,
} from "../../src/gen/millrace/v1/subscription_service.js";

/** How a call ended. */
export interface CallEnd {
  /** A gRPC status name; `GONE`: the connection ended without a status. */
  readonly code: string;
  readonly text: string;
  /** From its ErrorInfo. */
  readonly reason: string | undefined;
}

export interface ConsumeCallOptions {
  readonly address: string;
  /** The first message. */
  readonly opening: DeepPartial<ConsumeRequest>;
  /** `recordBytes`: the encoded size of each received record. */
  readonly onMessage: (message: ConsumeResponse, recordBytes: readonly number[]) => void;
}

export interface ConsumeCall {
  readonly ended: Promise<CallEnd>;
  send(request: DeepPartial<ConsumeRequest>): void;
  /** Half-closes: the server settles the sent verdicts, and ends the call. */
  finish(): void;
  /** Resets the stream. */
  cancel(): void;
  /** Ends the connection like a killed process: without notice. */
  die(): void;
}

const gone: CallEnd = { code: "GONE", text: "", reason: undefined };

/** Opens a call. Where no server listens, it ends at once. */
export function openConsumeCall({ address, opening, onMessage }: ConsumeCallOptions): ConsumeCall {
  const url = new URL(`http://${address}`);
  const socket = connectSocket(Number(url.port), url.hostname);
  const session: ClientHttp2Session = connect(url, { createConnection: () => socket });
  // The end of the call reports what went wrong.
  session.on("error", () => undefined);
  socket.on("error", () => undefined);
  const stream: ClientHttp2Stream = session.request({
    [constants.HTTP2_HEADER_METHOD]: "POST",
    [constants.HTTP2_HEADER_PATH]: SubscriptionServiceService.consume.path,
    [constants.HTTP2_HEADER_CONTENT_TYPE]: "application/grpc",
    [constants.HTTP2_HEADER_TE]: "trailers",
  });
  stream.on("error", () => undefined);
  let end = gone;
  let isDead = false;
  const takeHeaders = (headers: Record<string, unknown>) => {
    if (headers["grpc-status"] !== undefined) end = endOf(headers);
  };
  stream.on("response", takeHeaders);
  stream.on("trailers", takeHeaders);
  let buffered: Buffer = Buffer.alloc(0);
  stream.on("data", (chunk: Buffer) => {
    buffered = buffered.length === 0 ? chunk : Buffer.concat([buffered, chunk]);
    while (!isDead && buffered.length >= 5) {
      const length = 5 + buffered.readUInt32BE(1);
      if (buffered.length < length) return;
      const message = buffered.subarray(5, length);
      buffered = buffered.subarray(length);
      onMessage(ConsumeResponse.decode(message), recordSizes(message));
    }
  });
  // The server has ended its side: no more is sent to it either.
  stream.once("end", () => void stream.end());
  const ended = new Promise<CallEnd>((resolve) => {
    stream.once("close", () => {
      resolve(end);
      session.destroy();
    });
  });
  const send = (request: DeepPartial<ConsumeRequest>) => {
    if (stream.destroyed || stream.writableEnded) return;
    const message = ConsumeRequest.encode(ConsumeRequest.fromPartial(request)).finish();
    const head = Buffer.alloc(5);
    head.writeUInt32BE(message.length, 1);
    stream.write(Buffer.concat([head, message]));
  };
  send(opening);
  return {
    ended,
    send,
    finish: () => void stream.end(),
    cancel() {
      isDead = true;
      stream.close(constants.NGHTTP2_CANCEL);
    },
    die() {
      isDead = true;
      socket.destroy();
    },
  };
}

function endOf(headers: Record<string, unknown>): CallEnd {
  const details = headers["grpc-status-details-bin"];
  let reason: string | undefined;
  if (typeof details === "string") {
    for (const { typeUrl, value } of Status.decode(Buffer.from(details, "base64")).details) {
      if (typeUrl === "type.googleapis.com/google.rpc.ErrorInfo") reason = ErrorInfo.decode(value).reason;
    }
  }
  const message = headers["grpc-message"];
  const text = typeof message === "string" ? decodeURIComponent(message) : "";
  return { code: status[Number(headers["grpc-status"])] ?? "UNKNOWN", text, reason };
}

/** The sizes of `repeated Record records = 1`, the only length-delimited field with that number. */
function recordSizes(message: Buffer): number[] {
  const sizes: number[] = [];
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = message[at++] ?? 0;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.length) {
    const tag = varint();
    if ((tag & 7) === 0) {
      varint();
      continue;
    }
    const length = varint();
    if (tag === 0x0a) sizes.push(length);
    at += length;
  }
  return sizes;
}
