/** The generated client without our library: one call, one answer or refusal. */

import { type Client, type ClientDuplexStream, type ServiceError, status } from "@grpc/grpc-js";
import { expect } from "vitest";
import { BadRequest, ErrorInfo, ResourceInfo, RetryInfo } from "../../src/gen/google/rpc/error_details.js";
import {
  AppendRequest,
  FollowRequest,
  PublishRequest,
  ReadRequest,
  RecordServiceService,
} from "../../src/gen/millrace/v1/record_service.js";
import {
  ConsumeRequest,
  type ConsumeResponse,
  type DeepPartial,
  SubscriptionServiceService,
} from "../../src/gen/millrace/v1/subscription_service.js";
import { callUnary, drainStream, openClient, richStatus } from "../rpc/rpc-server.js";

/** A refusal as a client receives it: code, text, and the decoded details. */
export interface Refusal {
  readonly code: string;
  readonly text: string;
  readonly reason?: string;
  readonly facts?: Record<string, string>;
  /** The names of the wrong fields. */
  readonly fields?: string[];
  readonly retryAfterMs?: number;
  readonly resource?: string;
}

export function refusalOf(error: ServiceError): Refusal {
  const refusal: Record<string, unknown> = { code: status[error.code], text: error.details };
  if (error.metadata.get("grpc-status-details-bin").length === 0) return refusal as unknown as Refusal;
  const rich = richStatus(error);
  expect([rich.code, rich.message]).toEqual([error.code, error.details]);
  for (const { typeUrl, value } of rich.details) {
    switch (typeUrl) {
      case "type.googleapis.com/google.rpc.ErrorInfo": {
        const { reason, domain, metadata } = ErrorInfo.decode(value);
        expect(domain).toBe("millrace.dev");
        refusal["reason"] = reason;
        refusal["facts"] = Object.fromEntries(metadata);
        break;
      }
      case "type.googleapis.com/google.rpc.BadRequest":
        refusal["fields"] = BadRequest.decode(value).fieldViolations.map(({ field }) => field);
        break;
      case "type.googleapis.com/google.rpc.RetryInfo": {
        const { seconds = 0, nanos = 0 } = RetryInfo.decode(value).retryDelay ?? {};
        refusal["retryAfterMs"] = seconds * 1000 + nanos / 1e6;
        break;
      }
      case "type.googleapis.com/google.rpc.ResourceInfo": {
        const { resourceType, resourceName } = ResourceInfo.decode(value);
        refusal["resource"] = `${resourceType} ${resourceName}`;
        break;
      }
      default:
        throw new Error(`Nobody expects ${typeUrl}`);
    }
  }
  return refusal as unknown as Refusal;
}

/** A client of the generated code, whose calls return refusals. */
export class Caller {
  readonly client: Client;

  constructor(address: string) {
    this.client = openClient(address);
  }

  async unary<Request, Response>(
    method: Parameters<typeof callUnary<Request, Response>>[1],
    request: Request,
  ): Promise<Response> {
    const got = await callUnary(this.client, method, request);
    if (got instanceof Error) throw got;
    return got as Response;
  }

  append(request: Partial<AppendRequest>) {
    return this.unary(RecordServiceService.append, AppendRequest.fromPartial({ topic: "t", ...request }));
  }

  read(request: Partial<ReadRequest>) {
    return this.#stream(RecordServiceService.read, ReadRequest.fromPartial({ topic: "t", ...request }));
  }

  follow(request: Partial<FollowRequest>) {
    return this.#stream(RecordServiceService.follow, FollowRequest.fromPartial({ topic: "t", ...request }));
  }

  async publish(...requests: Partial<PublishRequest>[]): Promise<unknown[]> {
    const { path, requestSerialize, responseDeserialize } = RecordServiceService.publish;
    const stream = this.client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    for (const request of requests) stream.write(PublishRequest.fromPartial(request));
    stream.end();
    return endOf(stream);
  }

  /** Opens a Consume call, sends these requests, and returns how it ends. */
  consume(...requests: DeepPartial<ConsumeRequest>[]): {
    readonly stream: ClientDuplexStream<ConsumeRequest, ConsumeResponse>;
    readonly end: Promise<unknown[]>;
  } {
    const { path, requestSerialize, responseDeserialize } = SubscriptionServiceService.consume;
    const stream = this.client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    for (const request of requests) stream.write(ConsumeRequest.fromPartial(request));
    const end = endOf(stream);
    end.catch(() => undefined);
    return { stream, end };
  }

  #stream<Request, Response>(
    method: {
      path: string;
      requestSerialize: (request: Request) => Buffer;
      responseDeserialize: (bytes: Buffer) => Response;
    },
    request: Request,
  ): Promise<Response[]> {
    const { path, requestSerialize, responseDeserialize } = method;
    return endOf(this.client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request)) as Promise<
      Response[]
    >;
  }
}

/** All messages of a call; rejects with the refusal. */
export async function endOf(stream: NodeJS.ReadableStream): Promise<unknown[]> {
  const { messages, error } = await drainStream<unknown>(stream);
  if (error !== undefined) throw error;
  return messages;
}

export async function refused(call: Promise<unknown>): Promise<Refusal> {
  const [outcome] = await Promise.allSettled([call]);
  if (outcome.status === "fulfilled") throw new Error("The call was not refused");
  return refusalOf(outcome.reason as ServiceError);
}

/** A record with only a text. */
export const text = (value: string) => ({
  key: "",
  attributes: new Map<string, string>(),
  body: { $case: "text" as const, value },
  location: undefined,
  lifetime: undefined,
  eventTime: undefined,
  time: undefined,
});
