import type { handleUnaryCall } from "@grpc/grpc-js";
import { answerBytes, answerTooLarge } from "../core/index.js";
import { abortable } from "../streams/index.js";
import type { Calls } from "./calls.js";
import { alreadyEncoded, type MethodContext, type Method, type MethodShape } from "./method.js";
import { type Received, receiving, requestOf } from "./request.js";

/** A unary method. A call that is running when the node drains may finish. */
export function unary<Request, Response>(
  calls: Calls,
  shape: MethodShape<Request, Response>,
  handle: (request: Request, context: MethodContext) => Promise<Response>,
): Method {
  const handler: handleUnaryCall<Received<Request>, Buffer> = (transport, callback) => {
    const call = calls.open(transport, shape, "unary");
    const answer = async () => {
      try {
        call.signal.throwIfAborted();
        call.received(transport.request.bytes);
        const response = await abortable(handle(requestOf(transport.request), call), call.gone);
        const encoded = shape.responseSerialize(response);
        if (encoded.length > answerBytes) {
          throw answerTooLarge(`The answer has ${encoded.length} bytes`, "request less at once");
        }
        call.delivered(encoded.length, 0, undefined);
        call.succeed();
        callback(null, encoded);
      } catch (error) {
        callback(call.fail(error));
      }
    };
    calls.tasks.track(answer());
  };
  return {
    path: shape.path,
    register: (server) => {
      server.register(shape.path, handler, alreadyEncoded, receiving(shape.requestDeserialize), "unary");
    },
  };
}
