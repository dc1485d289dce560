/**
 * Messages that are sent without a copy. grpc-js copies each message into its own buffer, to put the prefix in front.
 * For a page, that is most of the cost of a stream, and a thousand followers of a topic cause a thousand copies. Our
 * messages already have room for the prefix.
 *
 * grpc-js has no public option for this, so the method that copies is replaced. If a later version lacks the method,
 * the copies return; the version is pinned, and a test checks it.
 */

import type { ServerInterceptor } from "@grpc/grpc-js";
import { withoutPrefix } from "../wire/index.js";

/** The serialiser that grpc-js calls if it copies; `sendPrefixed` also recognises streams by it. */
export function serializePrefixed(message: Buffer): Buffer {
  return withoutPrefix(message);
}

interface CopyingCall {
  serializeMessage?(message: Buffer): Buffer;
}

/** Must be the server's first interceptor: only that one sees the call that writes to HTTP/2. */
export const sendPrefixed: ServerInterceptor = (method, call) => {
  const copying = call as unknown as CopyingCall;
  if (method.responseSerialize === (serializePrefixed as unknown) && copying.serializeMessage !== undefined) {
    copying.serializeMessage = (message) => message;
  }
  return call as ReturnType<ServerInterceptor>;
};
