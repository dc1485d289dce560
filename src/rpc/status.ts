/**
 * The only map from errors to gRPC statuses: the code, a text that every transport can carry, and `google.rpc` details
 * for programs (AIP-193). The trailer `grpc-status-details-bin` has the `google.rpc.Status`.
 */

import { Metadata, status } from "@grpc/grpc-js";
import type { ErrorCode, MillraceError } from "../core/index.js";
import type { Any } from "../gen/google/protobuf/any.js";
import { BadRequest, ErrorInfo, ResourceInfo, RetryInfo } from "../gen/google/rpc/error_details.js";
import { Status as RpcStatus } from "../gen/google/rpc/status.js";
import { durationOfMs, errorReason } from "../wire/index.js";

/** The gRPC status of each error code. README.md, "Guarantees", says when a client receives which. */
export const statusOf = {
  "invalid-argument": status.INVALID_ARGUMENT,
  "topic-not-found": status.NOT_FOUND,
  "topic-deleted": status.NOT_FOUND,
  "topic-exists": status.ALREADY_EXISTS,
  "topic-closed": status.FAILED_PRECONDITION,
  "topic-not-keyed": status.FAILED_PRECONDITION,
  "state-building": status.FAILED_PRECONDITION,
  "topic-limit": status.RESOURCE_EXHAUSTED,
  "epoch-mismatch": status.FAILED_PRECONDITION,
  "offset-mismatch": status.ABORTED,
  "producer-gap": status.FAILED_PRECONDITION,
  "producer-fenced": status.FAILED_PRECONDITION,
  "offset-out-of-range": status.OUT_OF_RANGE,
  "fell-behind": status.OUT_OF_RANGE,
  "subscription-not-found": status.NOT_FOUND,
  "subscription-exists": status.ALREADY_EXISTS,
  "consumer-fenced": status.FAILED_PRECONDITION,
  "consumer-limit": status.RESOURCE_EXHAUSTED,
  "stale-delivery": status.FAILED_PRECONDITION,
  "parked-not-found": status.NOT_FOUND,
  "answer-too-large": status.RESOURCE_EXHAUSTED,
  "publish-budget-exceeded": status.RESOURCE_EXHAUSTED,
  "lane-full": status.RESOURCE_EXHAUSTED,
  // Only the client can end a call early, by cancelling it.
  "call-ended": status.CANCELLED,
  "database-unavailable": status.UNAVAILABLE,
  draining: status.UNAVAILABLE,
  "data-loss": status.DATA_LOSS,
  internal: status.INTERNAL,
} as const satisfies Record<ErrorCode, status>;

/** How a call ends. */
export interface CallStatus {
  readonly code: status;
  readonly details: string;
  readonly metadata: Metadata;
}

/** A refusal by a standard protocol, such as health, for which the domain has no error code. */
export class StatusError extends Error {
  override readonly name = "StatusError";
  readonly code: status;

  constructor(code: status, message: string) {
    super(message);
    this.code = code;
  }
}

/** The domain of `ErrorInfo.reason`. */
export const errorDomain = "millrace.dev";

const detailsKey = "grpc-status-details-bin";

/**
 * Trailers must fit the 8 KiB of headers that Java clients accept by default; longer ones never arrive (grpc-js.md
 * #20). The text is counted percent-encoded, as it is sent. The details become up to 4 KiB of base64.
 */
const messageBytesMax = 1024;
const detailsBytesMax = 3072;
const metadataValueBytesMax = 256;
const violationsMax = 8;
const violationBytesMax = 200;

/** A status without details, for OK and for ends that the transport has already reported. */
export function plainStatus(code: status, details: string): CallStatus {
  return { code, details: clip(details, messageBytesMax), metadata: new Metadata() };
}

/** The status of a refusal. `extra` adds metadata: where to resume. */
export function statusOfError(error: MillraceError, extra: Readonly<Record<string, string>> = {}): CallStatus {
  const code = statusOf[error.code];
  const details = clip(error.message, messageBytesMax);
  const metadata = new Metadata();
  metadata.set(detailsKey, encodeDetails(code, details, detailsOf(error, { ...error.metadata, ...extra })));
  return { code, details, metadata };
}

/** The status of an internal error: an id that is also in the log, without the error's text. */
export function internalStatus(id: string): CallStatus {
  const details = `Internal error ${id}: the server's log has the details under this id`;
  const metadata = new Metadata();
  metadata.set(detailsKey, encodeDetails(status.INTERNAL, details, [errorInfo("internal", { id })]));
  return { code: status.INTERNAL, details, metadata };
}

function detailsOf(error: MillraceError, facts: Readonly<Record<string, string>>): Any[] {
  const details = [errorInfo(error.code, facts)];
  if (error.retryDelayMs !== undefined) {
    const retryDelay = durationOfMs(Math.round(error.retryDelayMs));
    details.push(pack("google.rpc.RetryInfo", RetryInfo.encode({ retryDelay }).finish()));
  }
  const resource = resourceOf(error.code, facts);
  if (resource !== undefined) details.push(pack("google.rpc.ResourceInfo", ResourceInfo.encode(resource).finish()));
  if (error.violations.length > 0) {
    const fieldViolations = error.violations.slice(0, violationsMax).map(({ field, description }) => ({
      field: clip(field, violationBytesMax),
      description: clip(description, violationBytesMax),
      reason: "",
    }));
    details.push(pack("google.rpc.BadRequest", BadRequest.encode({ fieldViolations }).finish()));
  }
  return details;
}

/** The resource that a refusal is about, if its code names one. */
function resourceOf(code: ErrorCode, facts: Readonly<Record<string, string>>): ResourceInfo | undefined {
  for (const { prefix, resourceType, name } of [
    { prefix: "topic-", resourceType: "millrace.v1.Topic", name: facts.topic },
    { prefix: "subscription-", resourceType: "millrace.v1.Subscription", name: facts.subscription },
  ]) {
    if (!code.startsWith(prefix) || name === undefined) continue;
    return { resourceType, resourceName: clip(name, metadataValueBytesMax), owner: "", description: "" };
  }
  return undefined;
}

function errorInfo(code: ErrorCode, facts: Readonly<Record<string, string>>): Any {
  const metadata = new Map<string, string>();
  for (const [name, value] of Object.entries(facts)) metadata.set(name, clip(value, metadataValueBytesMax));
  const reason = errorReason(code);
  return pack("google.rpc.ErrorInfo", ErrorInfo.encode({ reason, domain: errorDomain, metadata }).finish());
}

function pack(type: string, value: Uint8Array): Any {
  return { typeUrl: `type.googleapis.com/${type}`, value };
}

/** Encodes the details that fit, the most useful ones first. */
function encodeDetails(code: status, message: string, details: readonly Any[]): Buffer {
  const kept: Any[] = [];
  let encoded = RpcStatus.encode({ code, message, details: kept }).finish();
  for (const detail of details) {
    const longer = RpcStatus.encode({ code, message, details: [...kept, detail] }).finish();
    if (longer.length > detailsBytesMax) continue;
    kept.push(detail);
    encoded = longer;
  }
  return Buffer.from(encoded);
}

/**
 * Cuts a text to `bytesMax` bytes in the percent-encoding of `grpc-message`, and replaces lone surrogates, also those
 * that the cut makes. grpc-js calls `encodeURI` on the text, which throws on lone surrogates, and nothing catches that
 * (grpc-js.md #20).
 */
function clip(text: string, bytesMax: number): string {
  // A UTF-16 unit takes at least one byte, so this part is always enough. It bounds the cost of a huge text.
  const wellFormed = Buffer.from(text.slice(0, bytesMax + 1)).toString();
  if (wellFormed.length === text.length && encodeURI(wellFormed).length <= bytesMax) return wellFormed;
  let kept = "";
  let bytes = 0;
  for (const character of wellFormed) {
    bytes += encodeURI(character).length;
    // The ellipsis has three bytes in UTF-8, nine when percent-encoded.
    if (bytes > bytesMax - 9) break;
    kept += character;
  }
  return `${kept}…`;
}
