import { type handleServerStreamingCall, Metadata } from "@grpc/grpc-js";
import type { Calls } from "./calls.js";
import { type CallContext, type Method, type MethodOptions, type StreamShape } from "./method.js";
import { type Received, receiving, requestOf } from "./request.js";
import { sendResponses } from "./send-responses.js";
import { serializePrefixed } from "./sent-messages.js";

/**
 * One request, and responses from a generator, which is resumed when the client took the last one. When the node drains
 * the stream stops at once, wherever its generator is.
 */
export function serverStreaming<Request, Response>(
  calls: Calls,
  shape: StreamShape<Request, Response>,
  handle: (request: Request, context: CallContext) => AsyncGenerator<Response, void, undefined>,
  options?: MethodOptions,
): Method {
  const handler: handleServerStreamingCall<Received<Request>, Buffer> = (transport) => {
    const call = calls.open(transport, shape.path, "stream", options);
    const open = () => {
      call.received(transport.request.bytes);
      const request = requestOf(transport.request);
      // Headers go out now: without them an idle stream looks unconnected until its first message (grpc-js.md #12).
      transport.sendMetadata(new Metadata());
      return handle(request, call);
    };
    calls.tasks.track(sendResponses({ call, sink: transport, shape, open, stop: call.signal }));
  };
  return {
    path: shape.path,
    register: (server) => {
      server.register(shape.path, handler, serializePrefixed, receiving(shape.requestDeserialize), "serverStream");
    },
  };
}
