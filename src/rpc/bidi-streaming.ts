import { type handleBidiStreamingCall, Metadata } from "@grpc/grpc-js";
import type { Calls } from "./calls.js";
import { type MethodContext, type Method, type StreamShape } from "./method.js";
import { pulledRequests, type PulledRequests } from "./pulled-requests.js";
import { type Received, receiving } from "./request.js";
import { sendResponses } from "./send-responses.js";
import { serializePrefixed } from "./sent-messages.js";

/**
 * A bidirectional method: requests are read when the method asks for one, and a generator gives the responses. When the
 * node drains, the signal aborts. The requests end too, at once or, for `takesRequestsWhileDraining`, later. The
 * generator runs until it ends by itself, so a publish still acknowledges committed batches.
 *
 * A method that needs its first request to choose its generator returns a promise. A generator around another one would
 * hold each response while the transport is blocked.
 */
export function bidiStreaming<Request, Response>(
  calls: Calls,
  shape: StreamShape<Request, Response>,
  handle: (
    requests: AsyncIterableIterator<Request, undefined>,
    context: MethodContext,
  ) => AsyncGenerator<Response, void, undefined> | Promise<AsyncGenerator<Response, void, undefined>>,
): Method {
  const handler: handleBidiStreamingCall<Received<Request>, Buffer> = (transport) => {
    const call = calls.open(transport, shape, "stream");
    let requests: PulledRequests<Request> | undefined;
    const open = () => {
      // A node that already drains refuses the call here; later the generator decides.
      call.signal.throwIfAborted();
      requests = pulledRequests<Request>(transport.metadata, call);
      // Sends the headers now (grpc-js.md #12).
      transport.sendMetadata(new Metadata());
      return handle(requests, call);
    };
    // If the drain ended the requests and so the method, the method has not done all its work.
    const checkEnd = () => {
      if (requests?.isAtEnd !== true) call.signal.throwIfAborted();
    };
    calls.tasks.track(sendResponses({ call, sink: transport, shape, open, stop: call.gone, checkEnd }));
  };
  return {
    path: shape.path,
    register: (server) => {
      server.register(shape.path, handler, serializePrefixed, receiving(shape.requestDeserialize), "bidi");
    },
  };
}
