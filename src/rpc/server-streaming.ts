import { type handleServerStreamingCall, Metadata } from "@grpc/grpc-js";
import type { Calls } from "./calls.js";
import { type MethodContext, type Method, type StreamShape } from "./method.js";
import { type Received, receiving, requestOf } from "./request.js";
import { sendResponses } from "./send-responses.js";
import { serializePrefixed } from "./sent-messages.js";

/**
 * A server-streaming method: a generator gives the responses, and is resumed when the client has taken the last one.
 * When the node drains, the stream stops at once, whatever its generator does.
 */
export function serverStreaming<Request, Response>(
  calls: Calls,
  shape: StreamShape<Request, Response>,
  handle: (request: Request, context: MethodContext) => AsyncGenerator<Response, void, undefined>,
): Method {
  const handler: handleServerStreamingCall<Received<Request>, Buffer> = (transport) => {
    const call = calls.open(transport, shape, "stream");
    const open = () => {
      call.received(transport.request.bytes);
      const request = requestOf(transport.request);
      // Sends the headers now: without them, an idle stream looks unconnected until its first message (grpc-js.md #12).
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
