import { type handleBidiStreamingCall, Metadata } from "@grpc/grpc-js";
import type { Calls } from "./calls.js";
import { type CallContext, type Method, type MethodOptions, type StreamShape } from "./method.js";
import { pulledRequests, type PulledRequests } from "./pulled-requests.js";
import { type Received, receiving } from "./request.js";
import { sendResponses } from "./send-responses.js";
import { serializePrefixed } from "./sent-messages.js";

/**
 * Requests that are read when the method asks for one, and responses from its generator. When the node drains, the
 * signal aborts and the requests end (at once, or for a method that hears verdicts, later), and the generator is driven on
 * until it ends by itself: a publish first acknowledges what is committed. A method whose first request says what to generate gives a promise: a generator around
 * another one would hold each of its responses while the transport is blocked.
 */
export function bidiStreaming<Request, Response>(
  calls: Calls,
  shape: StreamShape<Request, Response>,
  handle: (
    requests: AsyncIterableIterator<Request, undefined>,
    context: CallContext,
  ) => AsyncGenerator<Response, void, undefined> | Promise<AsyncGenerator<Response, void, undefined>>,
  options?: MethodOptions,
): Method {
  const handler: handleBidiStreamingCall<Received<Request>, Buffer> = (transport) => {
    const call = calls.open(transport, shape.path, "stream", options);
    let requests: PulledRequests<Request> | undefined;
    const open = () => {
      // Refused here when the node drains already; later the generator decides.
      call.signal.throwIfAborted();
      requests = pulledRequests<Request>(transport.metadata, call);
      // Headers go out now (grpc-js.md #12).
      transport.sendMetadata(new Metadata());
      return handle(requests, call);
    };
    // A method that ended because its requests did, and those because of the drain, has not done all that was asked.
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
