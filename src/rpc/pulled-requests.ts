/**
 * The request side of a call with streamed requests, read by pull. grpc-js reads 17 messages ahead into its duplex
 * (grpc-js.md #24), and destroying that duplex, as a `for await` over it does on `break`, ends the responses too
 * (grpc-js.md #13). So an interceptor takes the messages before the duplex sees one: each is asked for when the handler
 * wants it, and nothing is destroyed. What is read ahead is what came in the same HTTP/2 frame.
 */

import { type Metadata, ServerInterceptingCall, type ServerInterceptor } from "@grpc/grpc-js";
import { type Deferred, deferred } from "../streams/index.js";
import type { Call } from "./call.js";
import { type Received, requestOf } from "./request.js";

/** The interceptor sees the call, the handler its duplex; what both see is the headers' object. */
const sources = new WeakMap<Metadata, RequestSource>();

/** Goes into the server's interceptors. All its methods with streamed requests have to read them by `pulledRequests`. */
export const pullRequests: ServerInterceptor = (method, call) => {
  if (!method.requestStream) return new ServerInterceptingCall(call);
  const source = new RequestSource(() => call.startRead());
  return new ServerInterceptingCall(call, {
    start: (next) =>
      next({
        onReceiveMetadata: (metadata, pass) => {
          sources.set(metadata, source);
          pass(metadata);
        },
        // Neither these nor the half-close are passed on: the duplex' readable side is not used.
        onReceiveMessage: (message: Received<unknown>) => source.deliver(message),
        // A stream that was reset or lost ends its readable side before it says so, and would look like a half-close:
        // asked to read on, grpc-js notices, and tells it in the next tick. What this cannot tell apart is a cancel by a
        // client on Node, which is a true half-close with the reset in a packet behind it; its method may see the end
        // first, and even be done by then. What was sent was sent whole in any case.
        onReceiveHalfClose: () => {
          call.startRead();
          process.nextTick(() => source.end());
        },
      }),
  });
};

/** The requests of a call as its method reads them, with `isAtEnd` for the adapter. */
export interface PulledRequests<Request> extends AsyncIterableIterator<Request, undefined> {
  /** The client has sent all that it will send, and all of it was taken. */
  readonly isAtEnd: boolean;
}

/**
 * The requests of a call. `next()` rejects when the client is gone or its request cannot be decoded, and gives the end
 * after the half-close, `return()`, and when the call is not heard any more, as when the node drains: what was not taken
 * yet is not taken any more.
 */
export function pulledRequests<Request>(metadata: Metadata, call: Call): PulledRequests<Request> {
  const source = sources.get(metadata);
  if (source === undefined) throw new Error("Cannot read requests: the server lacks the pullRequests interceptor");
  let hasReturned = false;
  return {
    get isAtEnd() {
      return source.isAtEnd;
    },
    async next() {
      if (hasReturned) return { done: true, value: undefined };
      const received = await source.take(call);
      if (received === undefined) return { done: true, value: undefined };
      call.received(received.bytes);
      // The only cast of the room: the deserialiser registered beside this method's handler made it.
      return { done: false, value: requestOf(received as Received<Request>) };
    },
    return() {
      hasReturned = true;
      source.leave();
      return Promise.resolve({ done: true, value: undefined });
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

class RequestSource {
  readonly #startRead: () => void;
  #waiting: Deferred<Received<unknown> | undefined> | undefined;
  isAtEnd = false;

  constructor(startRead: () => void) {
    this.#startRead = startRead;
  }

  deliver(message: Received<unknown>): void {
    this.#waiting?.resolve(message);
  }

  end(): void {
    this.isAtEnd = true;
    this.#waiting?.resolve(undefined);
  }

  /** Gives the end to who waits. */
  leave(): void {
    this.#waiting?.resolve(undefined);
  }

  /** Asks for one message; `undefined` is the end. One at a time. */
  async take(call: Call): Promise<Received<unknown> | undefined> {
    if (this.#waiting !== undefined) throw new Error("Cannot take a request: one is being waited for");
    call.gone.throwIfAborted();
    if (this.isAtEnd || call.unheard.aborted) return undefined;
    const waiting = deferred<Received<unknown> | undefined>();
    const onAbort = () => (call.gone.aborted ? waiting.reject(call.gone.reason) : waiting.resolve(undefined));
    call.unheard.addEventListener("abort", onAbort);
    this.#waiting = waiting;
    // A consumer is always ready for another message: what keeps its deliveries says more.
    if (call.stream.waiting === "nothing") call.stream.waitFor("client-message");
    try {
      this.#startRead();
      return await waiting.promise;
    } finally {
      call.unheard.removeEventListener("abort", onAbort);
      this.#waiting = undefined;
      // The method may have said meanwhile what it waits for.
      if (call.stream.waiting === "client-message") call.stream.waitFor("nothing");
    }
  }
}
