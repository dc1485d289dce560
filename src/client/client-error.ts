import { type Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { type FieldViolation, MillraceError } from "../core/index.js";
import { BadRequest, ErrorInfo, RetryInfo } from "../gen/google/rpc/error_details.js";
import { Status as RpcStatus } from "../gen/google/rpc/status.js";
import { errorReason, msOfDuration } from "../wire/index.js";

/** The name of a gRPC status: `NOT_FOUND`, `UNAVAILABLE`, … */
export type StatusName = Exclude<keyof typeof status, "OK">;

/** What an error has besides its text. */
export interface ClientErrorFacts {
  /** `google.rpc.ErrorInfo.reason`: `TOPIC_NOT_FOUND`, `OFFSET_MISMATCH`, …; empty when the server gave none. */
  readonly reason?: string;
  /** `google.rpc.ErrorInfo.metadata`: `next_offset`, `epoch`, … */
  readonly metadata?: ReadonlyMap<string, string>;
  /** `google.rpc.BadRequest`: which fields were wrong, and how. */
  readonly violations?: readonly FieldViolation[];
  /** `google.rpc.RetryInfo`: how long to wait before the same call can succeed, in milliseconds. */
  readonly retryDelayMs?: number | undefined;
  readonly cause?: unknown;
}

/** A failed call. Subclasses exist for the usual cases; `code` and `reason` tell all cases apart. */
export class ClientError extends Error {
  override readonly name: string = "ClientError";
  readonly code: StatusName;
  readonly reason: string;
  readonly metadata: ReadonlyMap<string, string>;
  readonly violations: readonly FieldViolation[];
  readonly retryDelayMs: number | undefined;

  constructor(code: StatusName, message: string, facts: ClientErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.code = code;
    this.reason = facts.reason ?? "";
    this.metadata = facts.metadata ?? new Map<string, string>();
    this.violations = facts.violations ?? [];
    this.retryDelayMs = facts.retryDelayMs;
  }
}

/** No such topic, or it was deleted meanwhile. */
export class NotFoundError extends ClientError {
  override readonly name = "NotFoundError";
}

/** A value that the server, or the client before it, refuses. `violations` names the fields. */
export class InvalidArgumentError extends ClientError {
  override readonly name = "InvalidArgumentError";
}

/** The expected offset is not the topic's next one (ABORTED). */
export class ConflictError extends ClientError {
  override readonly name = "ConflictError";
}

/** The topic is closed, or the position is of another incarnation of it, or the producer was fenced. */
export class FailedPreconditionError extends ClientError {
  override readonly name = "FailedPreconditionError";
}

/** The position is below the earliest record or above the end; `metadata` has `earliest_offset` and `next_offset`. */
export class OutOfRangeError extends ClientError {
  override readonly name = "OutOfRangeError";
}

/** The server cannot be reached, or shuts down. The outcome of a running call may be unknown. */
export class UnavailableError extends ClientError {
  override readonly name = "UnavailableError";
}

/** The database was reset to an older state: records that were read may be missing now. */
export class DataLossError extends ClientError {
  override readonly name = "DataLossError";
}

const classes: Partial<Record<StatusName, typeof ClientError>> = {
  NOT_FOUND: NotFoundError,
  INVALID_ARGUMENT: InvalidArgumentError,
  ABORTED: ConflictError,
  FAILED_PRECONDITION: FailedPreconditionError,
  OUT_OF_RANGE: OutOfRangeError,
  UNAVAILABLE: UnavailableError,
  DATA_LOSS: DataLossError,
};

/** How a call ended, as grpc-js reports it. */
export interface EndStatus {
  readonly code: status;
  readonly details: string;
  readonly metadata: Metadata;
}

/** Makes an error of the class that belongs to its code. */
export function clientError(code: StatusName, message: string, facts: ClientErrorFacts = {}): ClientError {
  return new (classes[code] ?? ClientError)(code, message, facts);
}

/** The error of a call's end, with its `google.rpc` details. */
export function errorOfStatus(end: EndStatus | ServiceError): ClientError {
  const code = (status[end.code] ?? "UNKNOWN") as StatusName;
  return clientError(code, end.details === "" ? code : end.details, readDetails(end.metadata));
}

/** The client's own checks refuse the same values as the server, with the same text and error class. */
export function errorOfRefusal(error: unknown): unknown {
  if (!(error instanceof MillraceError) || error.code !== "invalid-argument") return error;
  return clientError("INVALID_ARGUMENT", error.message, {
    reason: errorReason(error.code),
    violations: error.violations,
    cause: error,
  });
}

/** Replaces a `CANCELLED` that the signal caused by the signal's reason; returns every other error unchanged. */
export function withAbortReason(error: unknown, signal: AbortSignal | undefined): unknown {
  return signal?.aborted === true && error instanceof ClientError && error.code === "CANCELLED" ? signal.reason : error;
}

/**
 * Whether a retry of the same call can succeed: the server or the connection was lost, or the server asked for a retry
 * later. CANCELLED counts, because here it comes from the server: one that drains ends blocked streams with it.
 */
export function isTransient(error: unknown): error is ClientError {
  if (!(error instanceof ClientError)) return false;
  const { code, reason, message, retryDelayMs } = error;
  if (code === "UNAVAILABLE" || code === "CANCELLED") return true;
  if (code === "RESOURCE_EXHAUSTED") return retryDelayMs !== undefined;
  // How grpc-js reports a stream that was reset without a status.
  return code === "INTERNAL" && reason === "" && message.startsWith("Received RST_STREAM");
}

function readDetails(metadata: Metadata): ClientErrorFacts {
  const [encoded] = metadata.get("grpc-status-details-bin");
  if (!Buffer.isBuffer(encoded)) return {};
  try {
    return decodeDetails(encoded);
  } catch (cause) {
    // Unknown or broken details: the status itself is still valid.
    return { cause };
  }
}

function decodeDetails(encoded: Buffer): ClientErrorFacts {
  let facts: ClientErrorFacts = {};
  for (const { typeUrl, value } of RpcStatus.decode(encoded).details) {
    switch (typeUrl.slice(typeUrl.lastIndexOf("/") + 1)) {
      case "google.rpc.ErrorInfo": {
        const { reason, metadata } = ErrorInfo.decode(value);
        facts = { ...facts, reason, metadata };
        break;
      }
      case "google.rpc.BadRequest":
        facts = { ...facts, violations: BadRequest.decode(value).fieldViolations };
        break;
      case "google.rpc.RetryInfo": {
        const delay = RetryInfo.decode(value).retryDelay;
        if (delay !== undefined) facts = { ...facts, retryDelayMs: msOfDuration(delay) };
        break;
      }
      default:
    }
  }
  return facts;
}
