/**
 * The request side of a call with streamed requests, read by pull. grpc-js reads 17 messages ahead into its duplex
 * (grpc-js.md #24). A `for await` destroys that duplex on `break`, which also ends the responses (grpc-js.md #13). So an
 * interceptor takes the messages before they reach the duplex. It requests each message when the handler wants it, and
 * destroys nothing. Only messages in the same HTTP/2 frame are read ahead.
 */

import { type Metadata, ServerInterceptingCall, type ServerInterceptor } from "@grpc/grpc-js";
import { type Deferred, deferred } from "../streams/index.js";
import type { Call } from "./call.js";
import { type Received, requestOf } from "./request.js";

/** Keyed by the object of the headers, the only object that both the interceptor and the handler see. */
const sources = new WeakMap<Metadata, RequestSource>();

/** An interceptor of the server. All methods with streamed requests must then read them with `pulledRequests`. */
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
        // Neither messages nor the half-close are passed on: the duplex's readable side is not used.
        onReceiveMessage: (message: Received<unknown>) => source.deliver(message),
        // A stream that was reset or lost ends its readable side first, which looks like a half-close. When it is asked
        // to read on, grpc-js notices and reports it in the next tick. This cannot detect a cancel by a client on
        // Node.js, which sends a real half-close and the reset in a later packet: the method may see the end first, and
        // may even finish. In any case, all messages before it are complete.
        onReceiveHalfClose: () => {
          call.startRead();
          process.nextTick(() => source.end());
        },
      }),
  });
};

/** The requests of a call, for its method; `isAtEnd` is for the adapter. */
export interface PulledRequests<Request> extends AsyncIterableIterator<Request, undefined> {
  /** The client has half-closed, and all its requests were taken. */
  readonly isAtEnd: boolean;
}

/**
 * The requests of a call. `next()` rejects when the client is gone or its request cannot be decoded. It gives the end
 * after the half-close, after `return()`, and when `requestsStopped` aborts, as in a drain; requests that were not
 * taken are then lost.
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
      // Safe: the deserialiser that was registered with this method's handler made it.
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

  /** Gives the end to a waiting `take`. */
  leave(): void {
    this.#waiting?.resolve(undefined);
  }

  /** Requests one message; `undefined` is the end. One call at a time. */
  async take(call: Call): Promise<Received<unknown> | undefined> {
    if (this.#waiting !== undefined) throw new Error("Cannot take a request: another take waits");
    call.gone.throwIfAborted();
    if (this.isAtEnd || call.requestsStopped.aborted) return undefined;
    const waiting = deferred<Received<unknown> | undefined>();
    const onAbort = () => (call.gone.aborted ? waiting.reject(call.gone.reason) : waiting.resolve(undefined));
    call.requestsStopped.addEventListener("abort", onAbort);
    this.#waiting = waiting;
    // Only if nothing else is set: a consumer always waits for a message, and what its deliveries wait for says more.
    if (call.stream.waiting === "nothing") call.stream.waitFor("client-message");
    try {
      this.#startRead();
      return await waiting.promise;
    } finally {
      call.requestsStopped.removeEventListener("abort", onAbort);
      this.#waiting = undefined;
      // The method may have set meanwhile what it waits for.
      if (call.stream.waiting === "client-message") call.stream.waitFor("nothing");
    }
  }
}
