import { invalidArgument, MillraceError } from "../core/index.js";

/**
 * The result of a deserialiser. A request that could not be decoded is also a value: an error thrown by a deserialiser
 * would reach the client as INTERNAL without details (grpc-js.md #23).
 */
export type Received<Request> =
  | { readonly kind: "request"; readonly request: Request; readonly bytes: number }
  | { readonly kind: "refused"; readonly error: MillraceError; readonly bytes: number };

/** Makes a deserialiser that does not throw from a decoder that does. */
export function receiving<Request>(decode: (bytes: Buffer) => Request): (bytes: Buffer) => Received<Request> {
  return (bytes) => {
    try {
      return { kind: "request", request: decode(bytes), bytes: bytes.length };
    } catch (error) {
      return { kind: "refused", error: refusal(error), bytes: bytes.length };
    }
  };
}

/** Returns the request, or throws its refusal. */
export function requestOf<Request>(received: Received<Request>): Request {
  if (received.kind === "refused") throw received.error;
  return received.request;
}

function refusal(error: unknown): MillraceError {
  if (error instanceof MillraceError) return error;
  // The generated decoders throw this for a 64-bit number above 2^53-1.
  if (error instanceof Error && /SAFE_INTEGER/.test(error.message)) {
    return invalidArgument("request", "has a number above 2^53-1, which is not supported");
  }
  return invalidArgument("request", "is not a Protobuf message of the method's request type");
}
