import type { Metadata, Server } from "@grpc/grpc-js";
import type { Position } from "../core/index.js";
import type { LiveStream } from "../telemetry/index.js";

/** What a method gets beside its request. */
export interface CallContext {
  /** Aborts when the client is gone, when its deadline has passed, and, for streams, when the node drains. */
  readonly signal: AbortSignal;
  /** The call as InspectService shows it. Unary calls have one too, which is not listed. */
  readonly stream: LiveStream;
  /** What the client sent as headers. */
  readonly metadata: Metadata;
  /** Where a client of this stream resumes. A method says where it begins; its adapter moves it along. */
  position: Position | undefined;
}

/** What the adapters need of a generated method definition. */
export interface MethodShape<Request, Response> {
  readonly path: string;
  requestDeserialize(bytes: Buffer): Request;
  responseSerialize(response: Response): Buffer;
}

/** A stream's requests, and how its responses are sent and counted. */
export interface StreamShape<Request, Response> extends MethodShape<Request, Response> {
  /** Whether responses are encoded behind room for their prefix (`wire/length-prefix.ts`). Unset: they are copied there. */
  readonly isPrefixed?: true;
  /** What to do when the transport has taken a response, and reads it no more. Unset, or undefined: nothing. */
  onSent?(response: Response): (() => void) | undefined;
  /** How many records a response carries. Unset: none. */
  recordsIn?(response: Response): number;
  /** Where a client that has this response resumes. Unset: streams of this method have no position. */
  positionAfter?(response: Response): Position;
}

export interface MethodOptions {
  /** Health and reflection are asked all day: their calls are logged at debug level. */
  readonly isQuiet?: boolean;
  /**
   * Its requests go on while the node drains, until little of the grace is left: they settle what was delivered. Those of
   * other methods end at once.
   */
  readonly hearsWhileDraining?: boolean;
  /** Health goes on answering while the node drains. */
  readonly servesWhileDraining?: boolean;
}

/** One method, ready to be served. */
export interface Method {
  readonly path: string;
  register(server: Server): void;
}

/** Responses leave the adapters encoded, so that their size is known, and pages are passed on untouched. */
export function alreadyEncoded(bytes: Buffer): Buffer {
  return bytes;
}
