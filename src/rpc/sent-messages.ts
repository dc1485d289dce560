/**
 * Messages that are sent as they stand. grpc-js copies each into a buffer of its own, to put its prefix in front: for a page
 * that is most of what a stream costs, and a thousand followers of a topic are a thousand copies. Ours have that room, and
 * are handed on.
 *
 * grpc-js has no public way to do so. Where the method that it copies in is not there (its version is pinned, and a test
 * looks), it copies as ever.
 */

import type { ServerInterceptor } from "@grpc/grpc-js";
import { withoutPrefix } from "../wire/index.js";

/** How a stream's responses are serialised by grpc-js itself. */
export function serializePrefixed(message: Buffer): Buffer {
  return withoutPrefix(message);
}

interface CopyingCall {
  serializeMessage?(message: Buffer): Buffer;
}

/** Goes first into the server's interceptors: it wants the call that writes to HTTP/2. */
export const sendPrefixed: ServerInterceptor = (method, call) => {
  const copying = call as unknown as CopyingCall;
  if (method.responseSerialize === (serializePrefixed as unknown) && copying.serializeMessage !== undefined) {
    copying.serializeMessage = (message) => message;
  }
  return call as ReturnType<ServerInterceptor>;
};
