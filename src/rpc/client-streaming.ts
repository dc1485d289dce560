import type { handleClientStreamingCall } from "@grpc/grpc-js";
import { abortable } from "../streams/index.js";
import type { Call } from "./call.js";
import type { Calls } from "./calls.js";
import { alreadyEncoded, type MethodContext, type Method, type MethodShape } from "./method.js";
import { type PulledRequests, pulledRequests } from "./pulled-requests.js";
import { type Received, receiving } from "./request.js";

/**
 * A client-streaming method: requests are read when the method asks for one. When the node drains, the signal aborts
 * and the requests end. The result for a part of the requests is not sent, since a client would take it for the whole.
 */
export function clientStreaming<Request, Response>(
  calls: Calls,
  shape: MethodShape<Request, Response>,
  handle: (requests: AsyncIterableIterator<Request, undefined>, context: MethodContext) => Promise<Response>,
): Method {
  const handler: handleClientStreamingCall<Received<Request>, Buffer> = (transport, callback) => {
    const call = calls.open(transport, shape, "stream");
    const answer = async () => {
      let requests: PulledRequests<Request> | undefined;
      try {
        call.signal.throwIfAborted();
        requests = pulledRequests<Request>(transport.metadata, call);
        const encoded = shape.responseSerialize(await answerOf(requests, call));
        call.delivered(encoded.length, 0, undefined);
        call.succeed();
        callback(null, encoded);
      } catch (error) {
        callback(call.fail(error));
      } finally {
        void requests?.return?.();
      }
    };
    calls.tasks.track(answer());
  };
  const answerOf = async (requests: PulledRequests<Request>, call: Call): Promise<Response> => {
    const response = await abortable(handle(requests, call), call.gone);
    if (!requests.isAtEnd) call.signal.throwIfAborted();
    return response;
  };
  return {
    path: shape.path,
    register: (server) => {
      server.register(shape.path, handler, alreadyEncoded, receiving(shape.requestDeserialize), "clientStream");
    },
  };
}
