import type { Metadata, Server } from "@grpc/grpc-js";
import type { Position } from "../core/index.js";
import type { LiveStream } from "../telemetry/index.js";

/** What a method receives besides its request. */
export interface MethodContext {
  /** Aborts when the client is gone, when its deadline has passed, and, for streams, when the node drains. */
  readonly signal: AbortSignal;
  /** The call's entry in InspectService. That of a unary call is not listed. */
  readonly stream: LiveStream;
  /** The headers of the request. */
  readonly metadata: Metadata;
  /** Where a client of this stream resumes. The method sets the start; the adapter advances it. */
  position: Position | undefined;
}

/** What is special about the calls of a method. */
export interface MethodOptions {
  /** Calls are logged at debug level. For health and reflection, which are called often. */
  readonly isQuiet?: boolean;
  /**
   * While the node drains, requests are taken until shortly before the grace ends. For Consume, whose requests settle
   * deliveries. The requests of other methods end at once.
   */
  readonly takesRequestsWhileDraining?: boolean;
  /** New calls are served while the node drains. For health. */
  readonly servesWhileDraining?: boolean;
}

/** The part of a generated method definition that the adapters use, and what is special about its calls. */
export interface MethodShape<Request, Response> extends MethodOptions {
  readonly path: string;
  requestDeserialize(bytes: Buffer): Request;
  responseSerialize(response: Response): Buffer;
}

/** A streaming method: also says how its responses are sent and counted. */
export interface StreamShape<Request, Response> extends MethodShape<Request, Response> {
  /** Whether encoded responses begin with room for their prefix (`wire/length-prefix.ts`). Unset: they are copied. */
  readonly isPrefixed?: true;
  /** Returns what to do when the transport no longer reads the response. Unset, or undefined: nothing. */
  onSent?(response: Response): (() => void) | undefined;
  /** How many records a response carries. Unset: none. */
  recordsIn?(response: Response): number;
  /** Where a client that has received this response resumes. Unset: streams of this method have no position. */
  positionAfter?(response: Response): Position;
}

/** One method, ready to be served. */
export interface Method {
  readonly path: string;
  register(server: Server): void;
}

/** Adapters encode responses themselves, so that their size is known and pages are passed on unchanged. */
export function alreadyEncoded(bytes: Buffer): Buffer {
  return bytes;
}
