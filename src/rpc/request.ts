import { invalidArgument, MillraceError } from "../core/index.js";

/**
 * A request as it came out of the deserialiser. One that could not be decoded is a value too: an error thrown there
 * would reach the client as INTERNAL without details (grpc-js.md #23).
 */
export type Received<Request> =
  | { readonly kind: "request"; readonly request: Request; readonly bytes: number }
  | { readonly kind: "refused"; readonly error: MillraceError; readonly bytes: number };

/** Turns a decoder that throws into a deserialiser that does not. */
export function receiving<Request>(decode: (bytes: Buffer) => Request): (bytes: Buffer) => Received<Request> {
  return (bytes) => {
    try {
      return { kind: "request", request: decode(bytes), bytes: bytes.length };
    } catch (error) {
      return { kind: "refused", error: refusal(error), bytes: bytes.length };
    }
  };
}

/** The request, or the reason why there is none, thrown. */
export function requestOf<Request>(received: Received<Request>): Request {
  if (received.kind === "refused") throw received.error;
  return received.request;
}

function refusal(error: unknown): MillraceError {
  if (error instanceof MillraceError) return error;
  // The generated decoders keep 64-bit numbers as plain ones, and say so with this text.
  if (error instanceof Error && /SAFE_INTEGER/.test(error.message)) {
    return invalidArgument("request", "has a number above 2^53-1, which is not supported");
  }
  return invalidArgument("request", "is not a Protobuf message of the method's request type");
}
